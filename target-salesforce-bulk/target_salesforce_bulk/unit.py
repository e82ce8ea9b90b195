"""`Unit`: the rows of one job, from the first record to its outcomes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from salesforce_bulk_client import JobData

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

    def __init__(self, unit_id: str, *, spool: Spool, limits: UnitLimits | None = None) -> None:
        """``limits`` are for a unit that is to be filled; one found on disk takes nothing more."""
        self.id = unit_id
        self.spool = spool
        self.line_ending = "LF"
        self.is_small = False
        """Whether its rows may go in one request instead of a job: they are all that its stream has for now."""
        self.keys: set[int] = set()
        """Hashes of its rows' keys; two keys of one hash cost a needless wait, nothing more."""
        self.after: set[Unit] = set()
        """Units that must be finished before this one starts."""
        self.outcomes: Counter[OutcomeKind] = Counter()
        """How many of its records have ended how, so far."""
        self._limits = limits
        self._generation = 1
        self._data = self._begin_data(limits.max_rows, limits.max_bytes) if limits else None

    @classmethod
    def begin(cls, unit_id: str, *, destination: Destination, directory: Path, limits: UnitLimits) -> Unit:
        """Return an empty unit, with its files in ``directory``."""
        return cls(unit_id, spool=Spool.create(directory / f"{unit_id}.jsonl", destination=destination), limits=limits)

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
        """How much its closed spool takes on disk, which is more than its rows."""
        return self.spool.path.stat().st_size

    @property
    def is_empty(self) -> bool:
        """Whether it has no entry at all."""
        return self.spool.number_of_rows + self.spool.number_of_refusals == 0

    def add(self, entry: Entry, *, key_text: str | None) -> bool:
        """Take one entry; False, with nothing taken, when the unit is full."""
        if self._limits is None or self._data is None:
            raise ValueError(f"unit {self.id} is closed")
        if self.spool.number_of_rows + self.spool.number_of_refusals >= self._limits.max_rows:
            return False
        if entry.cells is not None and not self._data.add(entry.cells):
            return False
        self.spool.add(entry)
        if key_text is not None:
            self.keys.add(hash(key_text))
        return True

    def close(self) -> None:
        """Bring everything to disk; no more entries."""
        self.spool.close()

    def job_data(self) -> JobData:
        """Return the rows as one upload, with the line ending that the unit wants."""
        if self._data and self._data.line_ending != self.line_ending:
            self.drop_job_data()
        if self._data is None:
            self._data = self._begin_data(self.number_of_rows, sys.maxsize)
            for _, cells in self.spool.rows():
                self._data.add(cells)
        return self._data

    def drop_job_data(self) -> None:
        """Give the upload up; it can be made again."""
        if self._data:
            self._data.discard()
            self._data = None

    def spool_of(self, rows: Collection[int]) -> Spool:
        """Return a new spool with only these rows, for the next job."""
        self._generation += 1
        return self.spool.only(rows, path=self.spool.path.with_name(f"{self.id}.{self._generation}.jsonl"))

    def go_on_with(self, spool: Spool) -> None:
        """Replace the rows by those of ``spool``."""
        self.drop_job_data()
        self.spool.discard()
        self.spool = spool

    def let_go(self) -> None:
        """Close the files; the rows stay on disk for the next run."""
        self.drop_job_data()
        self.spool.close()

    def discard(self) -> None:
        """Remove all files."""
        self.drop_job_data()
        self.spool.discard()

    def _begin_data(self, max_rows: int, max_bytes: int) -> JobData:
        columns = [column.name for column in self.destination.columns]
        return JobData(
            columns,
            max_rows=max_rows,
            max_bytes=max_bytes,
            line_ending=self.line_ending,
            path=self.spool.path.with_suffix(".csv"),
        )
