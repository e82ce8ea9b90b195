"""`Batch`: the rows of one job, from the first record to their outcomes, and the one owner of their state.

Each transition writes the journal before the step that it names is taken (docs/decisions/0006). A batch that is in no
journal yet is *filling*.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, count
from pathlib import Path
from typing import IO

import msgspec

from target_salesforce_bulk.batches.job_data_files import Entry, JobDataFiles, files_of
from target_salesforce_bulk.batches.key_set import KeySet
from target_salesforce_bulk.batches.outstanding_changes import OutstandingChanges
from target_salesforce_bulk.journal import (
    LOOKUPS_MARK,
    BatchNote,
    BatchState,
    Committed,
    Journal,
    KnownOutcomes,
    OutcomeClass,
    now,
)
from target_salesforce_bulk.mapping.fingerprints import row_fingerprint
from target_salesforce_bulk.mapping.plan import DeferredLookups, Destination
from target_salesforce_bulk.outcomes import OutcomeKind


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """What closes a batch."""

    max_rows: int
    """Records that cannot become rows count as well: their outcomes too are written with the batch's."""
    max_bytes: int
    """Of job data."""


class Wait(IntEnum):
    """What one batch waits for in another; each includes those before it."""

    PARENTS = 1
    """Its rows may be parents: those of them that can be loaded now come first."""
    SAME_KEYS = 2
    """Its rows may name the same records: none of them with a common key may be sent later."""
    ALL_ROWS = 3
    """So may all of its rows, whatever their keys."""


MAX_FILES = 16
"""How many files are written at once when rows are divided by their levels: each has its buffers."""


class Part:
    """Rows of a batch in files of their own, with a note in the journal of their own."""

    def __init__(self, part_id: str, *, files: JobDataFiles, keys: KeySet, sent_at: int = -1) -> None:
        self.id = part_id
        self.files = files
        self.keys = keys
        """Hashes of its rows' keys; two keys of one hash cost a needless wait, nothing more."""
        self.sent_at = sent_at
        """How many times rows had been loaded when it was sent last; -1 if it never was."""
        self.levels: Sequence[int] | None = None
        """In which round each row is to be sent, counted from any number; None while that is not planned."""
        self.first_level: int | None = None

    def plan(self, levels: Sequence[int] | None) -> None:
        """Note in which round each row is to be sent."""
        self.levels = levels
        self.first_level = None if levels is None else min(levels, default=0)


class Batch:
    """Rows that go to Salesforce in one job, and those of them that must be sent again in the next; kept on disk.

    Rows that cannot be loaded yet are kept in `parts`, which are sent one after another.
    """

    def __init__(
        self,
        batch_id: str,
        *,
        files: JobDataFiles,
        journal: Journal,
        max_rows: int = 0,
        state: BatchState = BatchState.FILLING,
        job_id: str | None = None,
    ) -> None:
        """``max_rows`` is for a batch that is to be filled; one found on disk takes nothing more."""
        self.part = Part(batch_id, files=files, keys=KeySet())
        """What is being filled, waits to be sent, or is being sent."""
        self.parts: list[Part] = []
        """What else is left of it: rows that wait for their parents, or for earlier rows of their keys."""
        self.place = 0
        """Which of the batches of the run it is, in the order in which they were submitted."""
        self.is_planned = False
        """Whether all rows that are left were looked through for their parents among rows that wait."""
        self.is_found = False
        """Whether an earlier run has left it, and the outcome of its rows is not known yet."""
        self.state = state
        self.job_id = job_id
        self.line_ending = "LF"
        self.may_skip_job = False
        """Whether its rows may go in one request: they are few, and the last of their stream."""
        self.is_awaited = False
        """Whether another batch waits for this one."""
        self.keys = self.part.keys
        """Hashes of the keys of all rows that are left."""
        self.after: dict[Batch, Wait] = {}
        """Batches that come before this one."""
        self.parents_may_come = False
        """Whether its rows whose parent is missing are kept, and sent again when it may be there."""
        self.awaits_parents = False
        """Whether the rows that were sent last are those, and none is left of them that waits for anything else."""
        self.is_blocked = False
        """Whether rows of a batch before it were not processed: its own would overtake them."""
        self.outcomes: Counter[OutcomeKind] = Counter()
        """How many of its records have ended how, so far."""
        self.first_pass: Batch | None = None
        """The batch that loaded its records, of a second pass that begins in this run."""
        self.second_passes: set[Batch] = set()
        """Batches that fill lookups of its records and are not finished."""
        self.number_incomplete = 0
        """How many of its records a second pass completes, so far."""
        self._is_gone = False
        """Whether all rows that were sent have their outcomes."""
        self._journal = journal
        self._room = max_rows
        self._numbers = count(2)
        """For the names of further files."""

    @classmethod
    def begin(
        cls, batch_id: str, *, destination: Destination, directory: Path, limits: BatchLimits, journal: Journal
    ) -> Batch:
        """Return an empty batch, with its files in ``directory``."""
        path = directory / f"{batch_id}.jsonl"
        files = JobDataFiles.create(path, destination=destination, max_bytes=limits.max_bytes)
        return cls(batch_id, files=files, journal=journal, max_rows=limits.max_rows)

    @classmethod
    def found(cls, note: BatchNote, *, directory: Path, journal: Journal) -> Batch:
        """Return a batch that an earlier run has left.

        Raises: JobDataDamaged.
        """
        files = JobDataFiles.find(directory / note.files, number_of_rows=note.number_of_rows)
        batch = cls(note.batch_id, files=files, journal=journal, state=note.state, job_id=note.job_id)
        batch.is_found = True
        if note.is_second_pass:  # later rows of its records wait for it
            batch.keys = batch.part.keys = batch._keys_in(files)
        return batch

    @property
    def id(self) -> str:
        """How the journal calls what is being sent."""
        return self.part.id

    @property
    def files(self) -> JobDataFiles:
        """Where it is."""
        return self.part.files

    @property
    def run_id(self) -> str:
        """The run that began it.

        >>> Batch("20260115T103000Z-3f9a1c-000001.doubtful-2", files=None, journal=None).run_id
        '20260115T103000Z-3f9a1c'
        """
        return "-".join(self.id.split("-")[:2])

    @property
    def destination(self) -> Destination:
        """Where its rows go."""
        return self.files.destination

    @property
    def number_of_rows(self) -> int:
        """Rows that are being sent."""
        return self.files.number_of_rows

    @property
    def number_loaded(self) -> int:
        """Rows that were loaded so far, be it without a lookup."""
        return self.number_incomplete + sum(number for kind, number in self.outcomes.items() if kind.is_loaded)

    @property
    def is_finished(self) -> bool:
        """Whether all of its records have their outcomes."""
        return self._is_gone and not self.parts and not self.second_passes

    @property
    def size_bytes(self) -> int:
        """How large its job data is; it must be closed."""
        return self.files.size_bytes

    @property
    def is_empty(self) -> bool:
        """Whether it has no entry at all."""
        return self.files.number_of_rows + self.files.number_of_refusals == 0

    def add(self, entry: Entry, *, key_hash: int | None) -> bool:
        """Take one entry; False, with nothing taken, when the batch is full."""
        if not self._room or not self.files.add(entry):
            return False
        self._room -= 1
        if key_hash is not None:
            self.keys.add(key_hash)
        return True

    def close(self) -> None:
        """Bring everything to disk; no more entries. The files stay."""
        self.files.close()

    def discard(self) -> None:
        """Delete the files of a batch that is in no journal (any more)."""
        self.files.discard()

    def open_data(self) -> IO[bytes]:
        """Return the rows as one upload, with the line ending that the batch wants."""
        return self.files.open_data(line_ending=self.line_ending)

    def must_follow(self, other: Batch, part: Part | None = None) -> bool:
        """Whether rows of a part, or those to be sent next, may name the same records as rows that another has left."""
        if self.follows_all_rows_of(other):
            return True
        if all(self.after.get(each) is not Wait.SAME_KEYS for each in _passes(other)):
            return False
        part = part or self.part
        return not all(part.keys.isdisjoint(keys) for keys in other.keys_left())

    def follows_all_rows_of(self, other: Batch) -> bool:
        """Whether any row of another may name the same record as any of its own, whatever their keys."""
        return any(self.after.get(each) is Wait.ALL_ROWS for each in _passes(other))

    def keys_left(self) -> list[KeySet]:
        """Return the hashes of the keys of rows that have no outcome yet."""
        return [part.keys for part in self.parts] or [self.part.keys]

    def wait_for(self, others: Iterable[Batch], wait: Wait) -> None:
        """Start only after others."""
        for other in others:
            other.is_awaited |= wait > Wait.PARENTS  # children may follow a request: nothing newer comes of its records
            self.after[other] = max(wait, self.after.get(other, wait))

    # Rows that are left

    def put_back(self) -> None:
        """Keep what was to be sent, or was refused, for another time."""
        if self.state is BatchState.FILLING:
            self.enqueue()
        part = self.part
        self.parts.append(Part(part.id, files=part.files, keys=self._keys_in(part.files), sent_at=part.sent_at))
        if not self.number_incomplete:  # else later rows of a second pass wait for that by way of this batch
            self.keys = KeySet()
            for key in chain.from_iterable(self.keys_left()):
                self.keys.add(key)

    def _keys_in(self, files: JobDataFiles) -> KeySet:
        keys = KeySet()
        if (first_pass := self.destination.first_pass) is not None:
            if first_pass.key_column is not None:
                for entry in files.entries():
                    if entry.deferred:
                        keys.add(hash(entry.deferred.key))
        elif self.destination.key_column is not None:
            for _, cells in files.rows():
                keys.add(hash(self.destination.key_text(cells)))
        return keys

    def next_level(self) -> int | None:
        """Return the first level of the rows that are left, or None if none is planned."""
        return min((part.first_level for part in self.parts if part.first_level is not None), default=None)

    def divide(self, level: int) -> Part | None:
        """Return rows of this level in one part, after dividing those that hold others as well."""
        while found := [part for part in self.parts if part.first_level == level]:
            last = max(max(part.levels or (), default=level) for part in found)
            if len(found) == 1 and last == level:
                return found[0]
            width = -(-(last - level + 1) // MAX_FILES)
            self._rewrite(found, group_of=lambda each: (each - level) // width)  # noqa: B023  called at once
        return None

    def take(self, part: Part) -> None:
        """Let a part be what is sent next."""
        self.parts.remove(part)
        part.plan(None)
        self.part = part
        self.state = BatchState.PENDING
        self.job_id = None
        self.awaits_parents = False
        self._is_gone = False

    def defer_lookups(self, part: Part, columns: Mapping[int, Collection[str]]) -> None:
        """Send these rows of a part without these lookups, which a second pass fills."""
        destination = self.destination
        fingerprint_of = row_fingerprint(destination)
        places = {column.name: place for place, column in enumerate(destination.columns)}

        def without_lookups(number: int, entry: Entry) -> Entry:
            names = columns.get(number)
            if not names or entry.cells is None:
                return entry
            cells = list(entry.cells)
            earlier = entry.deferred.cells if entry.deferred else {}
            deferred = DeferredLookups({**earlier, **{name: cells[places[name]] for name in names}})
            fingerprint = entry.fingerprint or fingerprint_of(cells)
            for name in names:
                cells[places[name]] = ""
            return msgspec.structs.replace(entry, cells=cells, fingerprint=fingerprint, deferred=deferred)

        self._rewrite([part], change=without_lookups)
        self.parts[-1].sent_at = -1  # in this form

    def _rewrite(
        self,
        parts: Collection[Part],
        *,
        group_of: Callable[[int], int] = lambda _: 0,
        change: Callable[[int, Entry], Entry] = lambda _, entry: entry,
    ) -> None:
        """Put the rows of some parts into new ones, by groups of their levels: all at once for the journal."""
        groups: dict[int, tuple[Part, array[int]]] = {}
        group = 0
        for old in parts:
            levels = old.levels or ()
            for number, entry in old.files.entries_to_send():
                if entry.cells is not None:  # one without a row goes where the row before it goes
                    group = group_of(levels[number])
                if group not in groups:
                    files = JobDataFiles.create(self._path_of_next(), destination=self.destination)
                    sent_at = min(part.sent_at for part in parts)
                    groups[group] = Part(files.path.stem, files=files, keys=KeySet(), sent_at=sent_at), array("q")
                part, its_levels = groups[group]
                part.files.add(change(number, entry))
                if entry.cells is not None:
                    its_levels.append(levels[number])
                    if (key := self.destination.key_text(entry.cells)) is not None:
                        part.keys.add(hash(key))
        for part, its_levels in groups.values():
            part.files.close()
            part.plan(its_levels)
        new = [part for part, _ in groups.values()]
        self._journal.replace_batch(
            [part.id for part in parts], [self._note(part.id, part.files, BatchState.PENDING) for part in new]
        )
        self.parts = [*(part for part in self.parts if part not in parts), *new]
        for old in parts:
            old.files.discard()

    # Transitions

    def enqueue(self) -> None:
        """ColumnMapping → pending: the rows are about to be sent."""
        self._journal.add_batch(self._note(self.id, self.files, BatchState.PENDING))
        self.state = BatchState.PENDING

    def job_created(self, job_id: str) -> None:
        """Pending → open: the rows have a job."""
        self._move(BatchState.OPEN, job_id)

    def closing(self) -> None:
        """Open → closing: the job is about to be closed; from here on Salesforce may load rows."""
        self._move(BatchState.CLOSING, self.job_id)

    def sending(self) -> None:
        """Pending → sending: the rows are about to be sent without a job; from here on they may be loaded."""
        self._move(BatchState.SENDING, None)

    def send_again(self) -> None:
        """Any state but filling → pending: all rows are to be sent again."""
        self._move(BatchState.PENDING, None)

    def outcomes_recorded(
        self,
        *,
        known: Mapping[OutcomeClass, KnownOutcomes],
        committed: Committed,
        again: Collection[int],
        doubtful: Collection[int],
        incomplete: Mapping[int, DeferredLookups],
        id_of: Callable[[int], str],
        state_of_doubtful: BatchState,
        job_of_doubtful: str | None,
        reason: str,
    ) -> bool:
        """Any state → gone, or pending with the rows that are sent ``again``; return whether it is gone.

        ``incomplete`` rows are loaded; their lookups become a batch of their own, in `second_passes`. ``id_of`` gives
        the Id of a row's record by the row's number, empty where it is not known.

        The outcomes are on disk up to ``committed``. ``doubtful`` rows become a batch of their own that a person
        decides on, for this ``reason``; ``job_of_doubtful`` may still have something to say of them.
        """
        following = []
        next_files = None
        if again:
            next_files = self.files.only(again, path=self._path_of_next())
            following.append(self._note(self.id, next_files, BatchState.PENDING))
        if doubtful:
            doubtful_files = self.files.only(doubtful, path=self._path_of_next("doubtful-"))
            following.append(
                self._note(
                    doubtful_files.path.stem, doubtful_files, state_of_doubtful, job_id=job_of_doubtful, reason=reason
                )
            )
        destination = self.destination
        second_pass = None
        if incomplete:
            second_pass = self._second_pass(incomplete)
            following.append(self._note(second_pass.id, second_pass.files, BatchState.PENDING))
        self._journal.commit(
            self.id,
            destination=destination.id,
            # The list of outstanding records says which retried records are left, and needs no other memory.
            known={OutcomeClass.DOUBTFUL: known[OutcomeClass.DOUBTFUL]} if destination.is_retry else known,
            committed=committed,
            following=following,
            changes=OutstandingChanges(destination=destination, known=known, files=self.files, id_of=id_of),
        )
        self.files.discard()
        if next_files:
            self.part.files = next_files
            self.state = BatchState.PENDING
            self.job_id = None
        if second_pass:
            self.second_passes.add(second_pass)
            self.number_incomplete += len(incomplete)
        self._is_gone = next_files is None
        if self.is_finished and self.first_pass:
            self.first_pass.second_passes.discard(self)
        return self._is_gone

    def _second_pass(self, incomplete: Mapping[int, DeferredLookups]) -> Batch:
        """Return a batch that fills the lookups of rows that are loaded, with its files closed."""
        lookups = {name for deferred in incomplete.values() for name in deferred.cells}
        destination = self.destination.second_pass(lookups)
        names = [column.name for column in destination.columns[1:]]
        path = self._path_of_next(LOOKUPS_MARK.removeprefix("."))
        files = JobDataFiles.create(path, destination=destination)
        for number, entry in self.files.row_entries():
            if deferred := incomplete.get(number):
                assert entry.cells is not None
                key = self.destination.key_text(entry.cells) or ""
                cells = [deferred.id, *(deferred.cells.get(name, "") for name in names)]
                files.add(
                    msgspec.structs.replace(entry, cells=cells, deferred=msgspec.structs.replace(deferred, key=key))
                )
        files.close()
        batch = Batch(path.stem, files=files, journal=self._journal, state=BatchState.PENDING)
        batch.first_pass = self
        batch.place = self.place
        batch.is_awaited = self.is_awaited
        batch.put_back()
        return batch

    def _move(self, state: BatchState, job_id: str | None) -> None:
        self._journal.set_state(self.id, state, job_id=job_id)
        self.state = state
        self.job_id = job_id

    def _note(
        self, batch_id: str, files: JobDataFiles, state: BatchState, *, job_id: str | None = None, reason: str = ""
    ) -> BatchNote:
        destination = files.destination
        return BatchNote(
            batch_id=batch_id,
            org=self._journal.org,
            destination=destination.id,
            stream=destination.stream,
            object=destination.object,
            operation=destination.operation.value,
            files=files.path.name,
            number_of_rows=files.number_of_rows,
            state=state,
            job_id=job_id,
            reason=reason,
            since=now(),
        )

    def _path_of_next(self, prefix: str = "") -> Path:
        """Return where rows go that need files of their own: ``{batch}.2.jsonl``, ``{batch}.3.jsonl`` …"""
        parts = self.files.path.name.split(".")
        base = ".".join(parts[: 2 if LOOKUPS_MARK in self.files.path.name else 1])
        paths = (self.files.path.with_name(f"{base}.{prefix}{number}.jsonl") for number in self._numbers)
        return next(path for path in paths if not any(map(Path.exists, files_of(path))))


def _passes(batch: Batch) -> tuple[Batch, ...]:
    """Return a batch, and the one that loaded its records: what waits for that waits for its second passes, too."""
    return (batch, batch.first_pass) if batch.first_pass else (batch,)
