"""`Scenario`: what one seed stands for. Everything random is decided here, before anything runs. Pure.

A pipeline's input is a list of records and STATE markers. It is generated in step with a small model of the org, so
that each record makes sense where it stands: a row is updated or deleted by its Id while it is there, inserted while
it is not, upserted at any time. What the org must hold in the end then follows from the input's order alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

KEY_FIELD = "External_Id__c"
TAG_FIELDS = {"Account": "Name", "Contact": "LastName"}
AMOUNT_FIELDS = {"Account": "AnnualRevenue", "Contact": "MailingLatitude"}
LOOKUPS = {"Account": "ParentId", "Contact": "AccountId"}
"""The lookup of each object that records may fill; all parents are accounts."""
PARENT_COLUMNS = {"Account": f"Parent.{KEY_FIELD}", "Contact": f"Account.{KEY_FIELD}"}
FIRST_SEED_WITH_PARENTS = 3000
"""Earlier seeds stand for what they always did."""
FACTORS = {"Account": 100, "Contact": 2}
AMOUNTS = {"Account": [("1000", "1e3"), ("2500", "2.5e3"), ("0", "-0.0")], "Contact": [("1.5", "1.50"), ("20", "2e1")]}
"""Numbers, each in two spellings."""
MOST_JOBS = 8
"""About so many jobs each stream gets; more of them take time and show nothing new."""
ROWS_BEFORE = 6
"""Rows of each object that are in the org before the first run."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream of a pipeline, and how it is mapped."""

    name: str
    sobject: str
    operation: str
    has_number: bool = True
    """Whether records have ``n``, their key property; without it equal records cannot be told apart."""
    has_external_id: bool = True
    """Whether inserted rows get an external id."""
    factor: int = 1
    """What a stream map multiplies the amount with."""
    maps_now: bool = False
    """Whether a stream map fills a field with the time."""
    is_ignored_by_mapping: bool = False
    """Whether ``fields`` leaves out what is not loaded; otherwise ``unknown_fields: drop`` does."""

    has_parent: bool = False
    """Whether records have ``parent``, the external id of an account."""

    @property
    def properties(self) -> dict[str, Any]:
        """The properties of the stream's schema."""
        names = {"n": "integer", "tag": "string", "key": "string", "amount": "number", "Id": "string"}
        names["parent"] = "string"
        types = {name: {"type": [kind, "null"]} for name, kind in names.items() if name in self._given}
        return {**types, "extracted_at": {"type": ["string", "null"], "format": "date-time"}}

    @property
    def _given(self) -> set[str]:
        given = {name for name, has in (("n", self.has_number), ("parent", self.has_parent)) if has}
        if self.operation == "delete":
            return given | {"Id"}
        given |= {"tag", "amount"}
        if self.operation == "update":
            return given | {"Id"}
        return given | {"key"} if self.operation == "upsert" or self.has_external_id else given

    @property
    def schema(self) -> dict[str, Any]:
        """The stream's SCHEMA message."""
        return {
            "type": "SCHEMA",
            "stream": self.name,
            "key_properties": ["n"] if self.has_number else [],
            "schema": {"type": "object", "properties": self.properties},
        }

    @property
    def mapping(self) -> dict[str, Any]:
        """The stream's entry in the setting ``mappings``."""
        columns = {"tag": TAG_FIELDS[self.sobject], "amount": AMOUNT_FIELDS[self.sobject], "key": KEY_FIELD}
        columns["parent"] = PARENT_COLUMNS[self.sobject]
        fields: dict[str, str | None] = {name: column for name, column in columns.items() if name in self._given}
        if self.is_ignored_by_mapping:
            fields |= {"extracted_at": None, **({"n": None} if self.has_number else {})}
        mapping = {"object": self.sobject, "operation": self.operation, "fields": fields}
        return mapping | ({"external_id_field": KEY_FIELD} if self.operation == "upsert" else {})

    @property
    def stream_map(self) -> dict[str, str]:
        """The stream's entry in the setting ``stream_maps``."""
        maps = {"amount": f"amount * {self.factor}"} if self.factor > 1 else {}
        return maps | ({"Description": "str(datetime.datetime.now())"} if self.maps_now else {})


Row = tuple[str, float, str | None]
"""Tag, amount and the parent's external id of a row of the org."""

TOO_LARGE = "1e30"
"""An amount that Salesforce refuses."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record of the input."""

    n: int
    stream: Stream
    entity: str | None
    """The external id of the row that it is about; None for a row without one."""
    tag: str | None
    """What it writes into the object's name, by which the org's rows are recognized; None if it is refused."""
    amount: tuple[str, str]
    parent: str | None = None
    """The external id of its parent."""

    @property
    def is_valid(self) -> bool:
        """Whether Salesforce takes the record."""
        return self.stream.operation == "delete" or self.tag is not None

    @property
    def group(self) -> tuple[Any, ...]:
        """Equal for records that nothing but their place in the input tells apart."""
        if not self.stream.has_number:
            return (self.stream.name,)
        parent = (self.parent,) if self.stream.has_parent else ()
        what = (self.stream.name, self.entity, self.tag, self.amount[0], *parent)
        return what if self.tag else (self.stream.name, self.n)

    @property
    def result(self) -> tuple[str, float] | None:
        """Tag and amount of the row when the record is loaded; None if it is deleted."""
        if self.stream.operation == "delete":
            return None
        return str(self.tag), float(self.amount[0]) * self.stream.factor

    def after(self, before: Row | None) -> Row | None:
        """Return what the row holds when the record is loaded, after what it held ``before``."""
        if self.result is None:
            return None
        return (*self.result, self.parent if self.stream.has_parent else before and before[2])

    def without_lookup(self, before: Row | None) -> Row | None:
        """Return what the row holds when the record is loaded but for its lookup."""
        assert self.result
        return (*self.result, before and before[2])

    def line(self, *, reading: int, id_of: Callable[[str, str | None], str]) -> str:
        """Return the RECORD message as it comes in the ``reading``-th reading (from 0) of the input."""
        values = {
            "n": str(self.n),
            "tag": json.dumps(self.tag or f"refused {self.n}"),
            "key": json.dumps(self.entity),
            "parent": json.dumps(self.parent),
            "amount": self.amount[reading % 2] if self.is_valid else TOO_LARGE,
            "extracted_at": json.dumps(f"2024-01-15T10:30:{reading:02d}Z"),
        }
        if "Id" in self.stream.properties:
            values["Id"] = json.dumps(id_of(self.stream.sobject, self.entity))
        cells = ", ".join(f'"{name}": {values[name]}' for name in self.stream.properties)
        return f'{{"type": "RECORD", "stream": "{self.stream.name}", "record": {{{cells}}}}}'


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A target's input and settings."""

    streams: list[Stream]
    records: list[Record]
    states: list[int]
    """After how many records a STATE comes; its value says that number. The last one ends the input."""
    settings: dict[str, Any]

    def lines(self, *, reading: int, after: int | None, id_of: Callable[[str, str | None], str]) -> Iterator[str]:
        """Yield the messages of one reading, from the beginning or resuming ``after`` a STATE."""
        for stream in self.streams:
            yield json.dumps(stream.schema)
        for place in range(after or 0, len(self.records) + 1):
            if place in self.states and (after is None or place > after):
                yield json.dumps({"type": "STATE", "value": {"at": place}})
            if place < len(self.records):
                yield self.records[place].line(reading=reading, id_of=id_of)


@dataclass(frozen=True, kw_only=True)
class Crash:
    """What happens to a run at one of its steps: killed, terminated, or no room on the disk for some steps."""

    kind: Literal["kill", "term", "disk full"]
    at_step: int
    lasts: int = 0


@dataclass(frozen=True, kw_only=True)
class PlannedFault:
    """One fault of the simulator: a method of ``Fault`` and its arguments, and when it is met."""

    operation: str
    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    after: int = 0
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of the main pipeline."""

    resumes: bool
    """Whether its input begins after the last STATE that was printed, not with the first record."""
    follows_other: bool = False
    """Whether the other pipeline runs before it."""
    comes_days_later: bool = False
    """Whether the org has forgotten by then the jobs of earlier runs."""
    crash: Crash | None = None
    faults: Sequence[PlannedFault] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What one seed stands for."""

    main: Pipeline
    other: Pipeline
    runs: list[PlannedRun]
    looks_per_state: int
    seconds_per_state: float
    has_foreign_files: bool


def make_scenario(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    chance = random.Random(f"campaign {seed}")
    main = _pipeline(chance, names=["people", "firms", "changes"][: chance.randint(1, 3)], first_n=0)
    other = _other_pipeline(chance, main)
    runs = [_planned_run(chance, is_first=number == 0) for number in range(chance.randint(1, 4))]
    if chance.random() < 0.5:
        place = chance.randrange(len(runs))
        runs[place] = replace(runs[place], follows_other=place > 0)
    if seed >= FIRST_SEED_WITH_PARENTS:
        own_chance = random.Random(f"parents {seed}")
        main = _with_parents(own_chance, main)
        runs = [_with_second_passes_refused(own_chance, run) for run in runs]
    looks, seconds = chance.choice([(0, 0.0), (1, 0.0), (0, 0.02), (0, 0.05)])
    return Scenario(
        main=main,
        other=other,
        runs=runs,
        looks_per_state=looks,
        seconds_per_state=seconds,
        has_foreign_files=chance.random() < 0.15,
    )


# --- input ------------------------------------------------------------------------------------------------------------


def _other_pipeline(chance: random.Random, main: Pipeline) -> Pipeline:
    """Return a pipeline with a stream of its own, or one of a name that the main one loads into another object."""
    namesake = main.streams[0]
    if namesake.has_number and chance.random() < 0.3:
        return _pipeline(chance, names=[namesake.name], first_n=10_000, not_into=namesake.sobject)
    return _pipeline(chance, names=["others"], first_n=10_000)


def _pipeline(chance: random.Random, *, names: Sequence[str], first_n: int, not_into: str | None = None) -> Pipeline:
    shares_object = chance.random() < 0.5
    sobjects = [each for each in TAG_FIELDS if each != not_into]
    shared = chance.choice(sobjects)
    streams = [
        _stream(chance, name, shared if shares_object else chance.choice(sobjects), is_namesake=not_into is not None)
        for name in names
    ]
    records = list(_records(chance, streams, first_n=first_n, number=chance.choice([3, 8, 16, 30])))
    states = {place for place in range(len(records)) if chance.random() < 0.2} | {len(records)}
    settings = {
        "unknown_fields": "drop",
        "batch_size_rows": max(chance.choice([1, 2, 3, 5, 10, 100]), len(records) // MOST_JOBS),
        "small_batch_rows": chance.choice([0, 3, 200]),
        "max_concurrent_jobs": chance.choice([1, 2, 5]),
        "record_retries": chance.choice([0, 1, 3]),
        "add_record_metadata": chance.random() < 0.25,
        "mappings": {stream.name: stream.mapping for stream in streams},
        "stream_maps": {stream.name: stream.stream_map for stream in streams if stream.stream_map},
    }
    return Pipeline(streams=streams, records=records, states=sorted(states), settings=settings)


def _stream(chance: random.Random, name: str, sobject: str, *, is_namesake: bool) -> Stream:
    operation = chance.choice(["insert", "insert", "upsert", "upsert", "update", "delete"])
    has_maps = chance.random() < 0.4 and operation != "delete"
    has_external_id = operation != "insert" or chance.random() < 0.4
    return Stream(
        name=name,
        sobject=sobject,
        operation=operation,
        has_number=has_external_id or is_namesake or chance.random() < 0.6,
        has_external_id=has_external_id,
        factor=FACTORS[sobject] if has_maps and chance.random() < 0.6 else 1,
        maps_now=has_maps and chance.random() < 0.6,
        is_ignored_by_mapping=chance.random() < 0.5,
    )


def _records(chance: random.Random, streams: list[Stream], *, first_n: int, number: int) -> Iterator[Record]:
    prefix = "k" if first_n == 0 else "other"
    before = [f"{prefix}{i}" for i in range(ROWS_BEFORE)]
    by_id = {stream.sobject: set(before) for stream in streams}
    """Rows that still have the Id under which the input knows them."""
    live = {stream.sobject: set(before) for stream in streams}
    written: dict[tuple[str, str], list[Record]] = {}
    stream = streams[0]
    for n in range(first_n, first_n + number):
        if chance.random() < 0.4:
            stream = chance.choice(streams)
        sobject = stream.sobject
        entity: str | None = None
        if stream.operation in ("update", "delete"):
            if not by_id[sobject]:
                continue
            entity = chance.choice(sorted(by_id[sobject]))
        elif stream.operation == "upsert":
            entity = chance.choice([*before, *(f"{prefix}new{i}" for i in range(6))])
        elif stream.has_external_id:
            entity = chance.choice([*sorted(set(before) - live[sobject]), f"{prefix}own{n}"])
        record = _record(chance, stream, entity, n=n, earlier=written.get((stream.name, entity or ""), []))
        if entity and record.is_valid:
            if stream.operation == "delete":
                by_id[sobject].discard(entity)
                live[sobject].discard(entity)
            else:
                live[sobject].add(entity)
                written.setdefault((stream.name, entity), []).append(record)
        yield record


def _record(chance: random.Random, stream: Stream, entity: str | None, *, n: int, earlier: list[Record]) -> Record:
    tag: str | None = f"{stream.name} {n}"
    amount = chance.choice(AMOUNTS[stream.sobject])
    if not stream.has_number:
        tag, amount = f"{stream.name} {n // 10_000} {chance.choice('ab')}", AMOUNTS[stream.sobject][0]
    elif stream.operation == "delete":
        tag = f"deleted {n}"
    elif chance.random() < 0.05:
        tag = None
    elif len(earlier) > 1 and chance.random() < 0.3:  # back to an older value
        tag, amount = earlier[-2].tag, earlier[-2].amount
    return Record(n=n, stream=stream, entity=entity, tag=tag, amount=amount)


def _with_second_passes_refused(chance: random.Random, run: PlannedRun) -> PlannedRun:
    if chance.random() < 0.5:
        return run
    operation = chance.choice(["ingest.close", "collections"])
    fault = PlannedFault(operation=operation, name="lock_rows", options={"where": fills_only_lookups}, times=50)
    return replace(run, faults=[*run.faults, fault])


def fills_only_lookups(row: Mapping[str, Any]) -> bool:
    """Whether a row that is sent is one of a second pass."""
    return "Id" in row and len(row) > 1 and not row.keys() & {*TAG_FIELDS.values(), *AMOUNT_FIELDS.values()}


def _with_parents(chance: random.Random, pipeline: Pipeline) -> Pipeline:
    """Let records point to accounts of the same input, there or not, to rows of before, and to themselves."""
    streams = {
        stream.name: replace(stream, has_parent=stream.operation in ("insert", "upsert") and stream.has_external_id)
        for stream in pipeline.streams
    }
    deleted = {record.entity for record in pipeline.records if record.stream.operation == "delete"}
    accounts = {record.entity for record in pipeline.records if record.stream.sobject == "Account" and record.entity}
    parents = sorted(accounts - deleted) + [f"k{number}" for number in range(2) if f"k{number}" not in deleted]
    own = sorted(accounts - deleted - {f"k{number}" for number in range(ROWS_BEFORE)})
    density = chance.choice([0.3, 0.6, 0.9])
    records = []
    for record in pipeline.records:
        stream, parent = streams[record.stream.name], None
        if stream.has_parent and chance.random() < density:
            kind = chance.choice(["any", "any", "any", "itself", "next", "missing"])
            if kind == "itself" and stream.sobject == "Account" and record.entity not in deleted:
                parent = record.entity
            elif kind == "next" and record.entity in own:  # all of these make a cycle
                parent = own[(own.index(record.entity) + 1) % len(own)]
            elif kind == "missing":
                parent = f"nobody{chance.randint(0, 3)}"
            elif parents:
                parent = chance.choice(parents)
        records.append(replace(record, stream=stream, parent=parent))
    mappings = {stream.name: stream.mapping for stream in streams.values()}
    settings = {**pipeline.settings, "mappings": mappings}
    return replace(pipeline, streams=list(streams.values()), records=records, settings=settings)


# --- runs and faults --------------------------------------------------------------------------------------------------


def _planned_run(chance: random.Random, *, is_first: bool) -> PlannedRun:
    crash = None
    if is_first or chance.random() < 0.7:
        kind: Any = chance.choice(["kill", "kill", "kill", "term", "disk full", None])
        if kind:
            crash = Crash(kind=kind, at_step=int(10 ** chance.uniform(0.8, 2.8)), lasts=chance.choice([1, 5, 100_000]))
    faults = [_fault(chance) for _ in range(chance.choice([0, 2, 3, 5, 8]))]
    return PlannedRun(
        resumes=not is_first and chance.random() < 0.5,
        comes_days_later=not is_first and chance.random() < 0.1,
        crash=crash,
        faults=faults,
    )


_CHANGING = ["ingest.create", "ingest.upload", "ingest.close", "ingest.abort", "collections"]
_READING = ["ingest.info", "ingest.info", "ingest.successful", "ingest.failed", "ingest.unprocessed"]
_CALLS = [*_CHANGING, *_CHANGING, *_READING, "any", "any", "login", "describe"]


def _fault(chance: random.Random) -> PlannedFault:
    """Return a random fault; those of the network can hit any call, others need a call that they are about."""
    times, after = chance.choice([1, 1, 2, 4]), chance.choice([0, 0, 0, 1, 3])
    kind = chance.choice(["network", "network", "network", "late", "job", "locks", "close wins"])
    if kind == "late":
        options = {"after": chance.choice([1, 2, 4, 8])}
        return PlannedFault(operation=chance.choice(_CHANGING), name="carried_out_late", options=options, after=after)
    if kind == "job":
        return _job_fault(chance, after=after)
    if kind == "locks":
        operation = chance.choice(["ingest.close", "collections"])
        count = chance.choice([1, 2, 100])
        return PlannedFault(operation=operation, name="lock_rows", arguments=(count,), after=after, times=times)
    if kind == "close wins":
        return PlannedFault(operation="ingest.abort", name="close_wins")
    name, arguments, options = chance.choice(_NETWORK)
    operation = chance.choice(_CALLS)
    return PlannedFault(operation=operation, name=name, arguments=arguments, options=options, after=after, times=times)


_NETWORK: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("reset_before", (), {}),
    ("reset_after", (), {}),
    ("reset_after", (), {}),
    ("cut_after", (), {"bytes": 0}),
    ("cut_after", (), {"bytes": 25}),
    ("wrong_length", (), {}),
    ("html", (404,), {}),
    ("html", (503,), {}),
    ("html", (200,), {}),
    ("not_found", (), {}),
    ("html_after", (503,), {}),
    ("html_after", (200,), {}),
    ("unauthorized", (), {}),
    ("unauthorized", (), {"kills_token": False}),
    ("status", (429,), {"headers": {"Retry-After": "0"}}),
    ("request_limit_concurrent", (), {}),
    ("request_limit_total", (), {}),
]


def _job_fault(chance: random.Random, *, after: int) -> PlannedFault:
    name = chance.choice(["job_fails", "results_lost"])
    options: dict[str, Any] = {"has_counts": chance.random() < 0.6}
    arguments: tuple[Any, ...] = ()
    if name == "job_fails":
        options |= {"after_rows": chance.choice([0, 1, 2]), "lists_unprocessed": chance.random() < 0.6}
    else:
        arguments = (chance.choice(["successful", "failed"]),)
    return PlannedFault(operation="ingest.close", name=name, arguments=arguments, options=options, after=after)
