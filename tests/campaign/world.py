"""`World`: one scenario carried out, with a simulated org in this process and each run of the target in another."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator import Fault, Org, Progression, running

from tests.campaign.child import run_target
from tests.campaign.model import (
    KEY_FIELD,
    ROWS_BEFORE,
    TAG_FIELDS,
    Crash,
    Pipeline,
    PlannedFault,
    PlannedRun,
    Scenario,
)

RUN_TIMEOUT_S = 60
JOBS_ARE_GONE_S = 8 * 24 * 3600
"""Salesforce keeps jobs for 7 days."""
MOST_LAST_RUNS = 4
"""Runs without faults; a job that failed in an earlier run may leave rows to the second of them."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.campaign.child"])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One line of an outcome file."""

    stream: str
    n: int | None
    status: str
    error_code: str | None
    id: str | None
    run: int
    """The run that wrote the file."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One outstanding record."""

    sobject: str
    stream: str
    operation: str
    key: str
    record: dict[str, Any]
    is_lookup: bool
    """Whether its record is in the org, and only a lookup is not."""
    awaits_decision: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run that was carried out, and what the folder held when it had ended."""

    pipeline: Pipeline
    starts_after: int
    """How many records came before its input."""
    has_faults: bool
    exit_code: int
    states: list[int]
    stderr: str
    outcomes: list[Outcome]
    last_state: int
    """The last STATE that any run of the pipeline had printed."""
    took_too_long: bool
    outstanding: list[Listed] = field(default_factory=list)

    @property
    def ended_by_itself(self) -> bool:
        """Whether no signal ended it, and no quota."""
        return self.exit_code in (0, 1)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do: it has ended by itself, with its last STATE."""
        return self.ended_by_itself and self.last_state == self.pipeline.states[-1]


@dataclass(kw_only=True)
class World:
    """What the invariants look at."""

    scenario: Scenario
    folder: Path
    org: Org
    url: str = ""
    ids: dict[tuple[str, str | None], str] = field(default_factory=dict)
    """Ids of the rows that were there before, by object and external id."""
    runs: list[Run] = field(default_factory=list)
    missing_foreign_files: list[str] = field(default_factory=list)
    failed_records: list[dict[str, Any]] = field(default_factory=list)
    """The RECORD messages of all files of failed records."""
    _owners: dict[str, int] = field(default_factory=dict)
    """The run that made each outcome file."""
    _readings: int = 0

    @property
    def results_dir(self) -> Path:
        """The folder that all pipelines share."""
        return self.folder / "results"

    def runs_of(self, pipeline: Pipeline) -> list[Run]:
        """Return a pipeline's runs, in order."""
        return [run for run in self.runs if run.pipeline is pipeline]

    # --- a whole life -------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Carry out the scenario: runs with faults, then runs without any until one has nothing left to do."""
        foreign = list(self._make_foreign_files()) if self.scenario.has_foreign_files else []
        main = self.scenario.main
        for planned in self.scenario.runs:
            if planned.follows_other:
                self._run(self.scenario.other, PlannedRun(resumes=False))
            if planned.comes_days_later:
                self.org.clock.advance(JOBS_ARE_GONE_S)
            run = self._run(main, planned)
            if run.is_finished or run.took_too_long:
                break
        for number in range(MOST_LAST_RUNS):
            last = self.runs_of(main)[-1]
            if last.took_too_long or (last.is_finished and not last.has_faults):
                break
            self._run(main, PlannedRun(resumes=number % 2 == 1))
        self._let_org_finish()
        self.failed_records = list(self._failed_records())
        self.missing_foreign_files = [str(path) for path, text in foreign if not _holds(path, text)]

    def _let_org_finish(self) -> None:
        """Let everything happen that the org still has before it: late requests, and jobs that nobody polls."""
        self.org.faults.clear()
        self.org.carry_out_late_requests()
        self.org.progression = Progression.immediate()
        for job in self.org.job_registry.all():
            self.org.job_registry.poll(job)

    def _make_foreign_files(self) -> Iterator[tuple[Path, str]]:
        """Put files of others where the target keeps its own, and yield them with their texts."""
        pending, outside = self.results_dir / "pending", self.folder / "elsewhere.txt"
        (pending / "folder").mkdir(parents=True)
        for path in (pending / "notes.txt", pending / "folder" / "more.csv", self.results_dir / "mine.jsonl", outside):
            path.write_text(path.name)
            yield path, path.name
        link = pending / "link.jsonl"
        link.symlink_to(outside)
        yield link, outside.name

    # --- one run ------------------------------------------------------------------------------------------------------

    def _run(self, pipeline: Pipeline, planned: PlannedRun) -> Run:
        earlier = self.runs_of(pipeline)
        last_state = max((run.last_state for run in earlier), default=0)
        # After the last STATE the same input again would be new records: the run may have ended well before its kill.
        resumes = planned.resumes or last_state == pipeline.states[-1]
        config, messages = self.folder / "config.json", self.folder / "messages.jsonl"
        config.write_text(json.dumps(self._config(pipeline)))
        text = pipeline.lines(
            reading=self._readings, after=last_state if resumes else None, id_of=lambda *row: self.ids[row]
        )
        messages.write_text("".join(line + "\n" for line in text))
        self._readings += 1
        self.org.faults.clear()
        for fault in planned.faults:
            self._add(fault)
        exit_code, stdout, stderr = _call(config, messages, crash=planned.crash)
        states = [json.loads(line)["at"] for line in stdout.splitlines(keepends=True) if line.endswith("\n")]
        run = Run(
            pipeline=pipeline,
            starts_after=last_state if resumes else 0,
            has_faults=bool(planned.crash or planned.faults),
            exit_code=_TOOK_TOO_LONG if exit_code is None else exit_code,
            states=states,
            stderr=stderr,
            outcomes=list(self._outcomes()),
            last_state=max([last_state, *states]),
            took_too_long=exit_code is None,
            outstanding=list(self._listed()),
        )
        self.runs.append(run)
        return run

    def _config(self, pipeline: Pipeline) -> dict[str, Any]:
        login = {"login_url": self.url, "client_id": "sim-client", "client_secret": "sim-secret"}
        pace = {"poll_min_s": 0.01, "poll_max_s": 0.05, "retry_total_s": 1, "request_timeout_s": 10}
        more = {"refresh_token": "sim-refresh", "quota_percent_per_run": 100, "results_dir": str(self.results_dir)}
        return {**login, **pace, **more, **pipeline.settings}

    def _add(self, fault: PlannedFault) -> None:
        made = getattr(Fault, fault.name)(*fault.arguments, **fault.options)
        self.org.faults.add(fault.operation, made, times=fault.times, after=fault.after)

    def _failed_records(self) -> Iterator[dict[str, Any]]:
        for path in self.results_dir.glob("failed-*.singer.jsonl"):
            for message in map(json.loads, path.read_text().splitlines()):
                if message["type"] == "RECORD":
                    yield message

    def _listed(self) -> Iterator[Listed]:
        """Yield the outstanding records, the oldest first."""
        path = self.results_dir / "journal.sqlite"
        if not path.exists():
            return
        with closing(sqlite3.connect(path)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'outstanding'").fetchone():
                return  # killed while it was made
            for sobject, stream, operation, key, record, destination, batch_id in db.execute(
                "SELECT object, stream, operation, key, record, destination, batch_id FROM outstanding ORDER BY id"
            ):
                yield Listed(
                    sobject=sobject,
                    stream=stream,
                    operation=operation,
                    key=key,
                    record=json.loads(record),
                    is_lookup=not destination,
                    awaits_decision=bool(batch_id),
                )

    def _outcomes(self) -> Iterator[Outcome]:
        """Yield the lines of all outcome files, those of earlier runs first."""
        files = list(self.results_dir.glob("outcomes-*.jsonl"))
        for path in files:
            self._owners.setdefault(path.name, len(self.runs))
        for path in sorted(files, key=lambda path: self._owners[path.name]):
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):  # the end of another one was being written
                    yield _outcome(json.loads(line), run=self._owners[path.name])


def _outcome(line: dict[str, Any], *, run: int) -> Outcome:
    n = line["key"].get("n")
    status, code = line["status"], line["error_code"]
    return Outcome(stream=line["stream"], n=n, status=status, error_code=code, id=line["id"], run=run)


@contextmanager
def living(scenario: Scenario, folder: Path) -> Iterator[World]:
    """Give the world of a scenario after all has happened; ``folder`` is empty, and its own."""
    pace = Progression(looks_per_state=scenario.looks_per_state, seconds_per_state=scenario.seconds_per_state)
    org = Org(progression=pace, keeps_history=True)
    world = World(scenario=scenario, folder=folder, org=org)
    for sobject, tag in TAG_FIELDS.items():
        for key in [f"{prefix}{number}" for prefix in ("k", "other") for number in range(ROWS_BEFORE)]:
            (world.ids[sobject, key],) = org.insert(sobject, [{tag: f"before {key}", KEY_FIELD: key}])
    with running(org) as world.url:
        world.live()
        yield world


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except OSError:
        return False


_TOOK_TOO_LONG = 1000


def _call(config: Path, messages: Path, *, crash: Crash | None) -> tuple[int | None, str, str]:
    """Run the target; return exit code (None if it had to be ended), stdout and stderr."""
    (out, child_out), (err, child_err) = _context.Pipe(duplex=False), _context.Pipe(duplex=False)
    keywords = {"config": config, "messages": messages, "crash": crash, "stdout": child_out, "stderr": child_err}
    process = _context.Process(target=run_target, kwargs=keywords)
    process.start()
    child_out.close()
    child_err.close()
    texts: dict[Connection, bytes] = {}
    readers = [threading.Thread(target=_read, args=(pipe, texts)) for pipe in (out, err)]
    for reader in readers:
        reader.start()
    process.join(RUN_TIMEOUT_S)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    for reader in readers:
        reader.join()
    process.close()
    return code, texts[out].decode(), texts[err].decode()


def _read(pipe: Connection, texts: dict[Connection, bytes]) -> None:
    with pipe:
        texts[pipe] = b"".join(iter(functools.partial(os.read, pipe.fileno(), 65536), b""))
