"""`Extraction`: what a tap gave for one table, cut into batches, until the target has loaded them all.

All of it lies in files below one folder that every worker sees::

    {home}/bookmarks/{table}.json               the state from which the next extraction goes on
    {home}/runs/{run}/{table}/0001.singer.jsonl   one batch; gone once the table is loaded
    {home}/runs/{run}/{table}/0001/               the target's results_dir for it: outcomes, result CSVs, journal
    {home}/runs/{run}/{table}/bookmark.json       the state after the last batch: the extraction is complete
    {home}/runs/{run}/{table}/loaded              the run that has loaded the last batch

Files hold records, so they are for the owner only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """The batches of one table."""

    home: Path
    table: str
    run: str
    """The run that has extracted them."""

    @classmethod
    def to_load(cls, home: Path, *, table: str, run_id: str) -> Extraction:
        """Return the extraction that is to be loaded next: one that an earlier run left, or else this run's own.

        So no row is extracted anew while it waits, half loaded perhaps, in the journal of an earlier run.
        """
        return next(cls._left(home, table=table), cls(home=home, table=table, run=folder_name(run_id)))

    @classmethod
    def of_run(cls, home: Path, *, table: str, run_id: str) -> Extraction | None:
        """Return what a run has loaded, or could not load to its end; None if the table was not its business."""
        for path in home.glob(f"runs/*/{table}/loaded"):
            if path.read_text() == folder_name(run_id):
                return cls(home=home, table=table, run=path.parts[-3])
        return next(cls._left(home, table=table), None)

    @classmethod
    def _left(cls, home: Path, *, table: str) -> Iterator[Extraction]:
        complete = sorted(home.glob(f"runs/*/{table}/bookmark.json"), key=lambda path: path.stat().st_mtime_ns)
        every = (cls(home=home, table=table, run=path.parts[-3]) for path in complete)
        return (each for each in every if not (each.folder / "loaded").exists())

    @property
    def folder(self) -> Path:
        return self.home / "runs" / self.run / self.table

    @property
    def is_complete(self) -> bool:
        """Whether the tap has given everything."""
        return (self.folder / "bookmark.json").exists()

    @property
    def is_loaded(self) -> bool:
        """Whether the target has loaded everything."""
        return (self.folder / "loaded").exists()

    @property
    def batches(self) -> list[Path]:
        """The batches that wait to be loaded, in order."""
        return sorted(self.folder.glob("*.singer.jsonl"))

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Give the outcome of each record: the files of one results_dir together have one for each."""
        for path in sorted(self.folder.glob("*/outcomes-*.jsonl")):
            with path.open("rb") as lines:
                yield from map(json.loads, lines)

    def link_results(self, folder: Path) -> None:
        """Make all result files of the target known in one folder, too; their names tell the run and the job."""
        for pattern in ("*.csv", "*.jsonl", "summary-*.json"):
            for path in self.folder.glob(f"*/{pattern}"):
                (folder / path.name).unlink(missing_ok=True)  # of a try before this one
                (folder / path.name).hardlink_to(path)

    @property
    def bookmark(self) -> State:
        """Where this extraction begins: ``{}`` the first time."""
        return _read(self._bookmark_path) if self._bookmark_path.exists() else {}

    def complete(self, bookmark: State) -> None:
        """Note that the tap has ended well, and where the next extraction begins once this one is loaded."""
        write_private(self.folder / "bookmark.json", json.dumps(bookmark))

    def confirm(self, *, run_id: str) -> None:
        """Note that everything is loaded: move the bookmark, and remove the batches, which hold records."""
        bookmark = _read(self.folder / "bookmark.json")
        if bookmark:  # a tap without anything to remember says no STATE
            make_private(self._bookmark_path.parent)
            write_private(self._bookmark_path, json.dumps(bookmark))
        write_private(self.folder / "loaded", folder_name(run_id))
        for batch in self.batches:
            batch.unlink()

    @property
    def _bookmark_path(self) -> Path:
        return self.home / "bookmarks" / f"{self.table}.json"


def results_dir_of(batch: Path) -> Path:
    """Return the ``results_dir`` of a batch: always the same one, so a second try finds the journal of the first."""
    return batch.parent / batch.name.partition(".")[0]


def is_batch_loaded(batch: Path) -> bool:
    """Tell whether a run of the target has ended with an outcome for each record, by the summary that it left.

    After that the target's journal is closed: the same batch again would be new records.
    """
    return any(_read(path)["is_finished"] for path in results_dir_of(batch).glob("summary-*.json"))


def cut(messages: Iterable[bytes], *, folder: Path, rows: int) -> State:
    """Write a tap's output as batches of at most so many records, each with its SCHEMA; gives the tap's last state."""
    schema, state, batch, room = b"", {}, None, 0
    for path in folder.glob("*.singer.jsonl"):  # of a try that was killed here
        path.unlink()
    numbers = iter(range(1, 10_000))
    for line in messages:
        message = json.loads(line)
        match message["type"]:
            case "SCHEMA":
                schema, room = line, 0
            case "STATE":
                state = message["value"]
            case "RECORD":
                if not room:
                    if batch:
                        batch.close()
                    batch, room = open_private(folder / f"{next(numbers):04d}.singer.jsonl"), rows
                    batch.write(schema)
                assert batch is not None
                batch.write(line)
                room -= 1
            case "ACTIVATE_VERSION":  # asks to delete what is older; a batch must not
                continue
            case other:
                raise ValueError(f"the tap gave a {other} message, which cannot be cut into batches")
    if batch:
        batch.close()
    return state


def keep_to_last_state(path: Path) -> State | None:
    """Cut off what a broken run of a tap wrote after its last STATE; gives that state, from which the tap goes on."""
    if not path.exists():
        return None
    state, end, position = None, 0, 0
    with path.open("rb+") as lines:
        for line in lines:
            position += len(line)
            if b'"STATE"' in line[:20] and line.endswith(b"\n"):
                state, end = json.loads(line)["value"], position
        lines.truncate(end)
    return state


def folder_name(run_id: str) -> str:
    """Return a run's id as a folder's name.

    >>> folder_name("scheduled__2026-01-01T00:00:00+00:00")
    'scheduled__2026-01-01T00_00_00_00_00'
    """
    return re.sub(r"[^\w.-]", "_", run_id)


def open_private(path: Path, mode: str = "wb") -> IO[Any]:
    """Open a file for writing that only its owner may read."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(".part")
    with open_private(part, "w") as file:
        file.write(text)
    part.replace(path)


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it, for the owner only."""
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)
    return folder


def _read(path: Path) -> Any:
    return json.loads(path.read_text())
