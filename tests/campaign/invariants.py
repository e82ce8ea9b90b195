"""What must hold after a scenario, whatever went wrong in it. Each check yields one line for each thing that does not.

Records are compared in groups: those that nothing but their place in the input tells apart form one (model.py). Most
groups have a single record. A record's outcome may be written more than once only where the first line left it open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from salesforce_bulk_simulator import Fault

from tests.campaign.model import AMOUNT_FIELDS, KEY_FIELD, LOOKUPS, TAG_FIELDS, Pipeline, Record, Row
from tests.campaign.world import Listed, Outcome, Run, World

LOADED = ("created", "updated", "deleted")
OPEN = ("doubtful", "unprocessed")
"""A later line may follow these."""
CODES_OF_ORDER = ("DUPLICATE_VALUE", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY")
"""Refusals that are right if another record of the same row was not loaded."""

Group = tuple[Any, ...]


def violations(world: World) -> Iterator[str]:
    """Yield what does not hold."""
    for run in world.runs:
        yield from _run_ended_in_order(run)
        yield from _state_is_behind_outcomes(run, world)
        yield from _exit_code_is_true(run, world)
    yield from _last_run_ends_well(world)
    for pipeline in (world.scenario.main, world.scenario.other):
        if runs := world.runs_of(pipeline):
            ledger = Ledger.of(pipeline, world.runs[-1].outcomes, world.runs)
            must_be_complete = pipeline is world.scenario.main or runs[-1].exit_code == 0
            yield from _each_record_has_one_outcome(ledger, must_be_complete=must_be_complete)
            yield from _failures_have_a_reason(ledger, world)
            yield from _failed_files_can_be_loaded(ledger, world)
            yield from _org_holds_what_the_input_says(ledger, world)
            yield from _what_is_not_loaded_is_outstanding(ledger, world)
    yield from _nothing_foreign_is_written(world)
    for job_id in world.org.open_jobs_with_data:
        yield f"job left open: {job_id} has data"
    for path in world.missing_foreign_files:
        yield f"foreign file touched: {path}"


@dataclass(kw_only=True)
class Ledger:
    """A pipeline's records by group, and the lines of the outcome files about them in the order they were written."""

    pipeline: Pipeline
    records: dict[Group, list[Record]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[Group, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    refused: set[Group] = field(default_factory=set)
    """Groups of which a line says that a record was not loaded, also one that was tried again since."""
    strangers: list[Outcome] = field(default_factory=list)
    """Lines about records that the input does not have."""

    @classmethod
    def of(cls, pipeline: Pipeline, outcomes: list[Outcome], runs: list[Run]) -> Ledger:
        """Return the ledger of the outcomes that were on disk when a run had ended."""
        ledger = cls(pipeline=pipeline)
        groups: dict[tuple[str, int | None], Group] = {}
        for record in pipeline.records:
            ledger.records[record.group].append(record)
            groups[record.stream.name, record.n if record.stream.has_number else None] = record.group
        first, last = pipeline.records[0].n, pipeline.records[-1].n
        for outcome in outcomes:
            if group := groups.get((outcome.stream, outcome.n)):
                ledger.lines[group].append(outcome)
            elif outcome.n is not None and first <= outcome.n <= last:
                ledger.strangers.append(outcome)
        for group, lines in ledger.lines.items():
            if any(line.status in ("failed", "unprocessed") for line in lines):
                ledger.refused.add(group)
            ledger.lines[group] = list(_without_tried_again(lines, runs, records=len(ledger.records[group])))
        return ledger

    def is_unlinked(self, record: Record) -> bool:
        """Whether a record is loaded without its lookup, as its last line says."""
        lines = [line for line in self.lines[record.group] if line.n == record.n]
        return bool(lines) and record.stream.has_parent and lines[-1].status == "failed" and bool(lines[-1].id)

    def number(self, group: Group, *statuses: str) -> int:
        """Return how many lines of a group have one of these statuses."""
        return sum(line.status in statuses for line in self.lines[group])

    def number_final(self, group: Group) -> int:
        """Return how many lines of a group say how a record ended."""
        return self.number(group, *LOADED, "failed")

    def number_open(self, group: Group) -> int:
        """Return how many records of a group have no outcome, or one that leaves them open."""
        return max(0, len(self.records[group]) - self.number_final(group))


def _without_tried_again(lines: list[Outcome], runs: list[Run], *, records: int) -> Iterator[Outcome]:
    """Leave out refusals of runs that ended by themselves unfinished, as far as a later run has tried again."""
    surplus = sum(line.status not in OPEN for line in lines) - records
    last_run = lines[-1].run
    for line in lines:
        may_be_tried = line.status == "failed" and any(
            run.ended_by_itself and not run.is_finished for run in runs[line.run : last_run]
        )
        if may_be_tried and surplus > 0 and line.run < last_run:
            surplus -= 1
        else:
            yield line


# --- each run ---------------------------------------------------------------------------------------------------------


def _run_ended_in_order(run: Run) -> Iterator[str]:
    if run.took_too_long:
        yield "hang: a run had to be killed"
    if "Traceback (most recent call last)" in run.stderr:
        last = [line for line in run.stderr.splitlines() if line and not line.startswith((" ", "2"))][-1:]
        yield f"traceback: {''.join(last)[:200]}"


def _state_is_behind_outcomes(run: Run, world: World) -> Iterator[str]:
    """A STATE that was printed has the outcome of each record before it on disk."""
    places = run.pipeline.states
    if any(state not in places for state in run.states) or run.states != sorted(run.states):
        yield f"STATE out of order: {run.states}"
    ledger = Ledger.of(run.pipeline, run.outcomes, world.runs)
    before = Counter(record.group for record in run.pipeline.records[: run.last_state])
    for group, number in before.items():
        if ledger.number_final(group) < number:
            statuses = [line.status for line in ledger.lines[group]]
            yield f"STATE too early: {run.last_state} passed {group} with {statuses}"


def _exit_code_is_true(run: Run, world: World) -> Iterator[str]:
    """Exit code 0 says that all is loaded that this run read or resumed, and that nothing is open or outstanding."""
    if run.exit_code != 0:
        return
    own = {(stream.name, stream.sobject) for stream in run.pipeline.streams}
    if left := [each for each in run.outstanding if (each.stream, each.sobject) in own and not each.awaits_decision]:
        yield f"exit code 0 though outstanding: {left[0].stream} {left[0].key}"
    ledger = Ledger.of(run.pipeline, run.outcomes, world.runs)
    for group in ledger.records:
        if number := ledger.number_open(group):
            yield f"exit code 0 though incomplete: {number} of {group}: {[line.status for line in ledger.lines[group]]}"
    here = world.runs.index(run)
    read = {record.group for record in run.pipeline.records[run.starts_after :]}
    for group, lines in ledger.lines.items():
        if any(line.status == "failed" and (group in read or line.run == here) for line in lines):
            yield f"exit code 0 though failed: {group}"


def _last_run_ends_well(world: World) -> Iterator[str]:
    """The last run has met no fault: it ends by itself, with exit code 0 unless something is not loaded."""
    last = world.runs_of(world.scenario.main)[-1]
    ledger = Ledger.of(last.pipeline, last.outcomes, world.runs)
    statuses = {line.status for lines in ledger.lines.values() for line in lines}
    if not last.is_finished and "doubtful" not in statuses:
        yield f"stuck: no fault, and no end after {last.last_state}: {_last_line(last.stderr)}"
    is_good = statuses <= set(LOADED) and not last.outstanding
    if last.exit_code and is_good and not any(map(ledger.number_open, ledger.records)):
        yield f"exit code {last.exit_code} though all is loaded: {_last_line(last.stderr)}"


def _last_line(text: str) -> str:
    return next((line[-300:] for line in reversed(text.splitlines()) if "| ERROR" in line), "")


# --- each record ------------------------------------------------------------------------------------------------------


def _each_record_has_one_outcome(ledger: Ledger, *, must_be_complete: bool) -> Iterator[str]:
    for group, records in ledger.records.items():
        statuses = [line.status for line in ledger.lines[group]]
        final, number = ledger.number_final(group), len(records)
        if final > number:
            yield f"two outcomes: {group} is {number} records: {statuses}"
        elif final == number and statuses[-1] in OPEN and not _are_equal(ledger.lines[group][-1], records):
            yield f"outcome taken back: {group}: {statuses}"
        if must_be_complete and len(statuses) < number:
            yield f"no outcome: {group} is {number} records: {statuses}"
        elif must_be_complete and ledger.number_open(group) and "doubtful" not in statuses:
            yield f"unprocessed in the end: {group}: {statuses}"
    for outcome in ledger.strangers:
        yield f"outcome of no record: {outcome}"


def _failures_have_a_reason(ledger: Ledger, world: World) -> Iterator[str]:
    """A valid record fails only for locks, or because an earlier record of its row was not loaded."""
    met = {fault.kind for _, fault in world.org.faults.completed}
    not_loaded = Counter(
        (record.stream.sobject, record.entity)
        for group, records in ledger.records.items()
        if ledger.number(group, *LOADED) < len(records)
        for record in records
    )
    for group, records in ledger.records.items():
        row = (records[0].stream.sobject, records[0].entity)
        has_failed_before = not_loaded[row] > len(records)
        for line in ledger.lines[group]:
            if line.status == "doubtful" and not _doubt_is_explained(world) and not _are_equal(line, records):
                yield f"doubtful without a reason: {group}"
            if line.status != "failed" or not any(record.is_valid for record in records):
                continue
            is_explained = (
                _is_explained_by_parent(line, records[0], ledger, world)
                or (line.error_code == "UNABLE_TO_LOCK_ROW" and "lock_rows" in met)
                or (line.error_code in CODES_OF_ORDER and has_failed_before)
            )
            if not is_explained:
                yield f"failed though valid: {line.error_code} for {group}"
        if not records[0].is_valid and ledger.number(group, *LOADED):
            yield f"loaded though refused: {group}"


def _is_explained_by_parent(line: Outcome, record: Record, ledger: Ledger, world: World) -> bool:
    """Whether the parent is not in the org in the end, or a second pass met a fault.

    A row may also be refused before its parent comes where a later row of its key waits for it, or for another row of
    its batch that waits for a parent; or where a batch of another operation on its object waits (docs/decisions/0008).
    """
    if not record.parent:
        return False
    if line.error_code != "INVALID_FIELD":
        is_second_pass = bool(line.id) and line.error_code in ("NOT_PROCESSED", "NO_OUTCOME")
        return is_second_pass and bool(world.org.faults.completed)
    if all(row[KEY_FIELD] != record.parent for row in world.org.rows("Account")):
        return True
    own = record.stream
    if any(each.sobject == own.sobject and each.operation != own.operation for each in ledger.pipeline.streams):
        return True
    rows = [(each.stream.sobject, each.entity) for each in ledger.pipeline.records]
    of_stream = [each for each in ledger.pipeline.records if each.stream == own]
    place, size = of_stream.index(record), ledger.pipeline.settings["batch_size_rows"]
    near = of_stream[max(0, place - size + 1) : place + size]
    return any(each.parent and rows.count((each.stream.sobject, each.entity)) > 1 for each in near)


def _failed_files_can_be_loaded(ledger: Ledger, world: World) -> Iterator[str]:
    """They hold records as they came in, and only those that are certainly not in the org."""
    by_number = {record.n: record for record in ledger.pipeline.records if record.stream.has_number}
    for message in world.failed_records:
        values = message["record"]
        record = by_number.get(values.get("n"))
        if record is None:
            continue
        if record.group not in ledger.refused:
            yield f"in the failed file: {record.group} is {[line.status for line in ledger.lines[record.group]]}"
        if values.keys() != record.stream.properties.keys() or (
            record.is_valid and "amount" in values and float(values["amount"]) != float(record.amount[0])
        ):
            yield f"not in the failed file as it came: {record.group} is there as {values}"


def _are_equal(line: Outcome, records: list[Record]) -> bool:
    """Whether nothing tells if records come again or are new: equal ones from before a STATE."""
    return line.error_code == "EQUAL_RECORD" and len(records) > 1


def _doubt_is_explained(world: World) -> bool:
    """Whether a fault was met that leaves nothing to tell what became of a row."""
    jobs_are_gone = any(planned.comes_days_later for planned in world.scenario.runs[: len(world.runs)])
    return jobs_are_gone or any(_leaves_doubt(operation, fault) for operation, fault in world.org.faults.completed)


def _may_have_been_loaded(world: World) -> bool:
    """Whether a fault was met that hides what became of a row when it was sent first."""
    return _doubt_is_explained(world) or any(operation == "collections" for operation, _ in world.org.faults.completed)


def _leaves_doubt(operation: str, fault: Fault) -> bool:
    if fault.kind == "job_fails":
        return bool(fault.file) or not fault.has_counts
    is_false_404 = fault.kind == "answer" and fault.status_code == 404 and b"NOT_FOUND" in fault.body
    return fault.kind == "results_lost" or (is_false_404 and operation.startswith("ingest."))


# --- the org ----------------------------------------------------------------------------------------------------------


def _org_holds_what_the_input_says(ledger: Ledger, world: World) -> Iterator[str]:
    yield from _keyed_rows(ledger, world)
    yield from _keyless_rows(ledger, world)


def _keyed_rows(ledger: Ledger, world: World) -> Iterator[str]:
    """Each external id has the value of its last loaded record, and one row, or none if that one deletes."""
    by_row: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in ledger.pipeline.records:
        if record.entity:
            by_row[record.stream.sobject, record.entity].append(record)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for sobject in TAG_FIELDS:
        for row in world.org.rows(sobject):
            rows[sobject, row[KEY_FIELD]].append(row)
    for (sobject, entity), records in by_row.items():
        found = [_row(world, sobject, row) for row in rows[sobject, entity]]
        allowed = _allowed_ends(ledger, records, world)
        if len(found) > 1:
            yield f"row twice: {sobject} {entity}"
        elif (found[0] if found else None) not in allowed:
            written = _written(world, sobject, entity)
            yield f"wrong value: {sobject} {entity} is {found}, not {allowed}; written {written}"


def _row(world: World, sobject: str, row: dict[str, Any]) -> Row:
    parent = row.get(LOOKUPS[sobject])
    key = next((each[KEY_FIELD] for each in world.org.rows("Account") if each["Id"] == parent), None)
    return row[TAG_FIELDS[sobject]], row[AMOUNT_FIELDS[sobject]] or 0.0, key


def _allowed_ends(ledger: Ledger, records: list[Record], world: World) -> set[Row | None]:
    """Return what a row may hold after these records, in order; those without a sure outcome may count or not.

    A record that failed may have been loaded before that, by a job or a request that told nothing of it.
    """
    first = records[0]
    was_there = (first.stream.sobject, first.entity) in world.ids
    allowed: set[Row | None] = {(f"before {first.entity}", 0.0, None) if was_there else None}
    for record in records:
        loaded = ledger.number(record.group, *LOADED)
        if loaded >= len(ledger.records[record.group]):
            allowed = set(map(record.after, allowed))
        elif ledger.is_unlinked(record):
            allowed = set(map(record.without_lookup, allowed))
        elif loaded or ledger.number_open(record.group) or (record.is_valid and _may_have_been_loaded(world)):
            allowed |= set(map(record.after, allowed))
    return allowed


def _written(world: World, sobject: str, entity: str) -> list[str]:
    changes = [each for each in world.org.history if each.sobject == sobject and each.keys[KEY_FIELD] == entity]
    return [f"{change.kind} {change.values.get(TAG_FIELDS[sobject])!r}" for change in changes]


def _keyless_rows(ledger: Ledger, world: World) -> Iterator[str]:
    """As many rows are created as records are reported created, but for those in doubt; none is created twice."""
    created = Counter(
        (change.sobject, change.values.get(TAG_FIELDS.get(change.sobject, "")))
        for change in world.org.history
        if change.kind == "create" and change.origin
    )
    for group, records in ledger.records.items():
        stream = records[0].stream
        if stream.operation != "insert" or stream.has_external_id or not records[0].is_valid:
            continue
        wanted = Counter((stream.sobject, record.tag) for record in records)
        for row, number in wanted.items():
            if created[row] > number:
                yield f"row twice: {row} {created[row]} times, wanted {number}"
        number, loaded = sum(created[row] for row in wanted), ledger.number(group, *LOADED)
        if not loaded <= number <= loaded + ledger.number_open(group):
            yield f"rows and outcomes differ: {group} has {number} rows, {loaded} of {len(records)} reported"


def _nothing_foreign_is_written(world: World) -> Iterator[str]:
    """Each value that was written is one of the input's, mapped once."""
    wanted = {
        (record.stream.sobject, *record.result)
        for pipeline in (world.scenario.main, world.scenario.other)
        for record in pipeline.records
        if record.result
    }
    for change in world.org.history:
        if change.origin and change.kind != "delete":
            if change.values.keys() == {LOOKUPS[change.sobject]}:
                continue  # a second pass
            tag = change.values.get(TAG_FIELDS[change.sobject])
            amount = float(change.values.get(AMOUNT_FIELDS[change.sobject]) or 0)
            if (change.sobject, tag, amount) not in wanted:
                yield f"foreign value: {change.sobject} {tag!r} {amount}"


# --- outstanding records ----------------------------------------------------------------------------------------------


def _what_is_not_loaded_is_outstanding(ledger: Ledger, world: World) -> Iterator[str]:
    """The list has the records whose last outcome is that they failed, and that no later one of their row overtook."""
    names = {stream.name for stream in ledger.pipeline.streams}
    objects = {stream.sobject for stream in ledger.pipeline.streams}
    listed = [each for each in world.runs[-1].outstanding if each.stream in names and each.sobject in objects]
    if any(map(ledger.number_open, ledger.records)) or any(each.awaits_decision for each in listed):
        return
    yield from _keyless_are_listed(ledger, [each for each in listed if not each.is_lookup])
    is_listed = {(each.stream, each.key) for each in listed if not each.is_lookup}
    for identity, records in _by_identity(ledger).items():
        last: Record | None = None
        for record in records:
            statuses = [line.status for line in ledger.lines[record.group] if line.n == record.n]
            if statuses and (statuses[-1] in LOADED or ledger.is_unlinked(record)):
                last = None
            elif statuses:
                last = record
        for record in records:
            if ((record.stream.name, str(record.n)) in is_listed) is not (record is last):
                what = "not outstanding" if record is last else "outstanding though loaded, or a newer one is"
                yield f"{what}: {identity} {record.n}: {[line.status for line in ledger.lines[record.group]]}"
    yield from _lookups_are_listed(ledger, [each for each in listed if each.is_lookup], world)


def _by_identity(ledger: Ledger) -> dict[Group, list[Record]]:
    """Return the records by what they are for the list, but for those that nothing tells apart."""
    found: dict[Group, list[Record]] = defaultdict(list)
    for record in ledger.pipeline.records:
        stream = record.stream
        if not stream.has_number:
            continue
        if stream.operation == "insert":
            found[stream.name, record.n].append(record)
        else:
            found[stream.sobject, "key" if stream.operation == "upsert" else "Id", record.entity].append(record)
    return {
        identity: records
        for identity, records in found.items()
        if all(len(ledger.records[record.group]) == 1 for record in records)
    }


def _keyless_are_listed(ledger: Ledger, listed: list[Listed]) -> Iterator[str]:
    """Equal records without a key are several."""
    for group in ledger.records:
        if len(group) == 1:
            number = sum(each.stream == group[0] for each in listed)
            if number != ledger.number(group, "failed"):
                yield f"outstanding are {number} of {group}: {[line.status for line in ledger.lines[group]]}"


def _lookups_are_listed(ledger: Ledger, listed: list[Listed], world: World) -> Iterator[str]:
    """Of each row whose last record with a parent is loaded without it, and of no other."""
    keys = {row["Id"]: (sobject, row[KEY_FIELD]) for sobject in TAG_FIELDS for row in world.org.rows(sobject)}
    found = {keys.get(each.record["Id"]): each for each in listed}
    wanted: dict[tuple[str, str | None], Record] = {}
    for record in ledger.pipeline.records:
        row = (record.stream.sobject, record.entity)
        if ledger.is_unlinked(record):
            wanted[row] = record
        elif ledger.number(record.group, *LOADED) and (record.stream.has_parent or record.result is None):
            wanted.pop(row, None)
    if found.keys() != wanted.keys():
        yield f"lookups outstanding: {sorted(map(str, found))}, not {sorted(map(str, wanted))}"
    for row, record in wanted.items():
        if row in found and record.parent not in found[row].record.values():
            yield f"wrong lookup outstanding: {row} is {found[row].record}, not {record.parent}"
