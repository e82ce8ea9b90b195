"""Objects from the describe responses of a real org."""

from __future__ import annotations

import json
from pathlib import Path

from .declarations import free_prefix
from .model import SObject


def add_recorded_objects(objects: dict[str, SObject], folder: Path) -> None:
    """Add the objects whose describe responses are in a folder, one JSON file each, and replace those of the same name.

    Other JSON, such as a describe global, is ignored.

    Raises:
        ValueError: the folder has no describe response, or one lacks a key.
    """
    recorded = []
    for path in sorted(folder.glob("*.json")):
        describe = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(describe, dict) and {"name", "fields"} <= describe.keys():
            recorded.append((path, describe))
    if not recorded:
        raise ValueError(f"{folder} contains no describe responses (JSON with the keys name and fields)")
    for path, describe in recorded:
        objects.pop(describe["name"].lower(), None)
        taken = {each.key_prefix for each in objects.values()}
        prefix = describe.get("keyPrefix")
        if prefix is None or prefix in taken:
            prefix = free_prefix(taken)
        try:
            objects[describe["name"].lower()] = SObject.from_describe(
                describe | {"keyPrefix": prefix}, key_prefix=prefix
            )
        except KeyError as error:
            raise ValueError(f"{path.name}: the describe of a field lacks the key {error}") from error
