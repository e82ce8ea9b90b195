"""The least that discovery takes, a program: every object described and parsed, and nothing made of it.

``python -m tests.benchmarks.floor_of_discovery CONFIG PREFIX``, for the objects whose names begin so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.benchmarks.floor_of_tap import Org


def main() -> None:
    """Describe all objects, one after another."""
    org = Org(json.loads(Path(sys.argv[1]).read_text()))
    for each in org.get("sobjects").json()["sobjects"]:
        if each["name"].startswith(sys.argv[2]):
            org.get(f"sobjects/{each['name']}/describe").json()


if __name__ == "__main__":
    main()
