"""`Unit`: the rows of one job, from the first record to its outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from target_salesforce_bulk.key_set import KeySet
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.plan import Destination
from target_salesforce_bulk.spool import Entry, Spool


@dataclass(frozen=True, kw_only=True)
class UnitLimits:
    """What closes a unit."""

    max_rows: int
    """Records that cannot become rows count as well: their outcomes too are written with the unit's."""
    max_bytes: int
    """Of job data."""


class Unit:
    """Rows that go to Salesforce in one job, and those of them that must go again in the next; kept on disk."""

    def __init__(self, unit_id: str, *, spool: Spool, max_rows: int = 0) -> None:
        """``max_rows`` is for a unit that is to be filled; one found on disk takes nothing more."""
        self.id = unit_id
        self.spool = spool
        self.line_ending = "LF"
        self.is_small = False
        """Whether its rows may go in one request instead of a job: they are all that its stream has for now."""
        self.keys = KeySet()
        """Hashes of its rows' keys; two keys of one hash cost a needless wait, nothing more."""
        self.after: set[Unit] = set()
        """Units that must be finished before this one starts."""
        self.outcomes: Counter[OutcomeKind] = Counter()
        """How many of its records have ended how, so far."""
        self._room = max_rows

    @classmethod
    def begin(cls, unit_id: str, *, destination: Destination, directory: Path, limits: UnitLimits) -> Unit:
        """Return an empty unit, with its files in ``directory``."""
        path = directory / f"{unit_id}.jsonl"
        spool = Spool.create(path, destination=destination, max_bytes=limits.max_bytes)
        return cls(unit_id, spool=spool, max_rows=limits.max_rows)

    @property
    def destination(self) -> Destination:
        """Where its rows go."""
        return self.spool.destination

    @property
    def number_of_rows(self) -> int:
        """Rows that are to be sent."""
        return self.spool.number_of_rows

    @property
    def size_bytes(self) -> int:
        """How large its job data is; it must be closed."""
        return self.spool.size_bytes

    @property
    def is_empty(self) -> bool:
        """Whether it has no entry at all."""
        return self.spool.number_of_rows + self.spool.number_of_refusals == 0

    def add(self, entry: Entry, *, key_hash: int | None) -> bool:
        """Take one entry; False, with nothing taken, when the unit is full."""
        if not self._room or not self.spool.add(entry):
            return False
        self._room -= 1
        if key_hash is not None:
            self.keys.add(key_hash)
        return True

    def close(self) -> None:
        """Bring everything to disk; no more entries."""
        self.spool.close()

    def open_data(self) -> IO[bytes]:
        """Return the rows as one upload, with the line ending that the unit wants."""
        return self.spool.open_data(line_ending=self.line_ending)

    def spool_of(self, rows: Collection[int]) -> Spool:
        """Return a new spool with only these rows, for the next job: ``{unit}.2.jsonl``, then ``{unit}.3.jsonl`` …"""
        path = self.spool.path
        generation = int(path.name.removeprefix(self.id).removesuffix(".jsonl").lstrip(".") or 1) + 1
        return self.spool.only(rows, path=path.with_name(f"{self.id}.{generation}.jsonl"))

    def go_on_with(self, spool: Spool) -> None:
        """Replace the rows by those of ``spool``."""
        self.spool.discard()
        self.spool = spool

    def let_go(self) -> None:
        """Close the files; the rows stay on disk for the next run."""
        self.spool.close()

    def discard(self) -> None:
        """Remove all files."""
        self.spool.discard()
