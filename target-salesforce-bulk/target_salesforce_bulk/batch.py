"""`Batch`: the rows of one job, from the first record to their outcomes, and the one owner of their state.

Each transition writes the journal before the step that it names is taken (docs/decisions/0006). A batch that is in no
journal yet is *filling*.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO

import msgspec

from target_salesforce_bulk.canonical import canonical_key
from target_salesforce_bulk.fingerprints import row_fingerprint
from target_salesforce_bulk.job_data_files import Entry, JobDataFiles
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
from target_salesforce_bulk.key_set import KeySet
from target_salesforce_bulk.outcomes import OutcomeKind
from target_salesforce_bulk.outstanding_changes import OutstandingChanges
from target_salesforce_bulk.plan import DeferredLookups, Destination


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """What closes a batch."""

    max_rows: int
    """Records that cannot become rows count as well: their outcomes too are written with the batch's."""
    max_bytes: int
    """Of job data."""


class Batch:
    """Rows that go to Salesforce in one job, and those of them that must be sent again in the next; kept on disk."""

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
        self.id = batch_id
        self.files = files
        self.state = state
        self.job_id = job_id
        self.line_ending = "LF"
        self.may_skip_job = False
        """Whether its rows may go in one request: they are few, and the last of their stream."""
        self.is_awaited = False
        """Whether another batch waits for this one."""
        self.keys = KeySet()
        """Hashes of its rows' keys; two keys of one hash cost a needless wait, nothing more."""
        self.after: set[Batch] = set()
        """Batches that must be finished before this one starts."""
        self.after_rows: set[Batch] = set()
        """Those of them whose rows may name the same records as its own: none of their rows may be sent later."""
        self.parents_may_come = False
        """Whether its rows whose parent is missing are kept, and sent again when it may be there."""
        self.awaits_parents = False
        """Whether its rows are those, and nothing else is left of it."""
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
        self.after_all_rows: set[Batch] = set()
        """Those of `after_rows` whose rows are not told apart from its own by their keys."""
        self._keys_left: KeySet | None = None
        """Hashes of the keys of its rows that wait for their parents, when that is all that is left of it."""
        self._awaited: Mapping[str, KeySet] = {}
        """Hashes of the keys of parents that its rows wait for, by the parents' key column."""
        self._journal = journal
        self._room = max_rows

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
        batch._note_keys_of_first_pass()
        return batch

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
        """Rows that are to be sent."""
        return self.files.number_of_rows

    @property
    def number_loaded(self) -> int:
        """Rows that were loaded so far, be it without a lookup."""
        return self.number_incomplete + sum(number for kind, number in self.outcomes.items() if kind.is_loaded)

    @property
    def is_finished(self) -> bool:
        """Whether all of its records have their outcomes."""
        return self._is_gone and not self.second_passes

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

    def note_awaited_parents(self) -> None:
        """Note the keys of its rows, which wait for their parents, and of these parents."""
        self._keys_left = None if self.destination.first_pass else KeySet()
        awaited: defaultdict[str, KeySet] = defaultdict(KeySet)
        names = {
            place: (column.parent_key, canonical_key(column.type))
            for place, column in enumerate(self.destination.columns)
            if column.is_relationship
        }
        for _, cells in self.files.rows():
            if self._keys_left is not None and (key := self.destination.key_text(cells)) is not None:
                self._keys_left.add(hash(key))
            for place, (parent_key, form) in names.items():
                awaited[parent_key].add(hash(form(cells[place])))
        self._awaited = awaited

    def awaits_rows_of(self, other: Batch) -> bool:
        """Whether a parent that its rows wait for is a row of another batch."""
        destination = other.destination
        if other is self or destination.object not in self.destination.parents or destination.key_column is None:
            return False
        awaited = self._awaited.get(destination.key_column)
        return awaited is not None and not awaited.isdisjoint(other.keys)

    def must_follow(self, other: Batch) -> bool:
        """Whether its rows may name the same records as those of another batch that wait for their parents."""
        if other.first_pass in self.after_rows or other in self.after_all_rows:
            return True
        left = other.keys if other._keys_left is None else other._keys_left
        return other in self.after_rows and not left.isdisjoint(self.keys)

    def wait_for(self, others: Collection[Batch], *, whatever_keys: bool = False) -> None:
        """Start only after the rows of these with its keys, or all rows, are loaded or refused."""
        for other in others:
            other.is_awaited = True
        if whatever_keys:
            self.after_all_rows.update(others)
        self.after_rows.update(others)
        self.after.update(others)

    # Transitions

    def enqueue(self) -> None:
        """Filling → pending: the rows are about to be sent."""
        self._journal.add_batch(self._note(self.id, self.files, BatchState.PENDING))
        self.state = BatchState.PENDING

    def job_created(self, job_id: str) -> None:
        """Pending → open: the rows have a job."""
        self._move(BatchState.OPEN, job_id)

    def closing(self) -> None:
        """Open → closing: Salesforce is about to be told to begin; from here on rows may be loaded."""
        self._move(BatchState.CLOSING, self.job_id)

    def sending(self) -> None:
        """Pending → sending: the rows are about to be sent without a job; from here on they may be loaded."""
        self._move(BatchState.SENDING, None)

    def send_again(self) -> None:
        """Any state but filling → pending: all rows are to be sent again."""
        self._move(BatchState.PENDING, None)

    def defer_lookups(self, columns: Mapping[int, Collection[str]]) -> None:
        """Pending → pending: these rows are to be sent without these lookups, which a second pass fills."""
        destination = self.destination
        fingerprint_of = row_fingerprint(destination)
        places = {column.name: place for place, column in enumerate(destination.columns)}
        files = JobDataFiles.create(self._path_of_next(), destination=destination)
        for number, entry in self.files.row_entries():
            if names := columns.get(number, ()):
                assert entry.cells is not None
                cells = list(entry.cells)
                earlier = entry.deferred.cells if entry.deferred else {}
                deferred = DeferredLookups({**earlier, **{name: cells[places[name]] for name in names}})
                fingerprint = entry.fingerprint or fingerprint_of(cells)
                for name in names:
                    cells[places[name]] = ""
                entry = msgspec.structs.replace(entry, cells=cells, fingerprint=fingerprint, deferred=deferred)  # noqa: PLW2901
            files.add(entry)
        files.close()
        self._journal.replace_batch(self._note(self.id, files, BatchState.PENDING))
        self.files.discard()
        self.files = files

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
            self.files = next_files
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
        batch.may_skip_job = self.may_skip_job
        batch.is_awaited = self.is_awaited
        batch.parents_may_come = True
        batch.awaits_parents = True
        batch.note_awaited_parents()
        batch._note_keys_of_first_pass()
        return batch

    def _note_keys_of_first_pass(self) -> None:
        """Note the keys of the records of a second pass, so that later rows for these wait for it."""
        if self.destination.first_pass and self.destination.first_pass.key_column is not None:
            for entry in self.files.entries():
                if entry.deferred:
                    self.keys.add(hash(entry.deferred.key))

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
        directory = self.files.path.parent
        stems = (f"{base}.{prefix}{number}" for number in count(2))
        return directory / f"{next(stem for stem in stems if not any(directory.glob(f'{stem}.*')))}.jsonl"
