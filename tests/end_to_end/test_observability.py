"""What can be seen of runs from outside: logs for programs, and what reaches a collector.

docs/observability.md says how, docs/reference/telemetry.md lists the names.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from salesforce_bulk_client.instruments import Instrument, Kind
from salesforce_bulk_plugin.instruments import ATTRIBUTES, INSTRUMENTS
from salesforce_bulk_simulator import Fault, Org, Progression, running

from tests.collector import Collector, collecting, values
from tests.end_to_end.conftest import BIN

REQUEST = 3
"""A span of the kind client."""

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "salesforce-bulk/salesforce_bulk_client",
    "tap-salesforce-bulk/tap_salesforce_bulk",
    "target-salesforce-bulk/target_salesforce_bulk",
)
PAGE = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs/reference/telemetry.md").read_text(encoding="utf-8")
PEOPLE: list[dict[str, Any]] = [
    {
        "type": "SCHEMA",
        "stream": "people",
        "schema": {"properties": {"n": {"type": "string"}, "LastName": {"type": ["string", "null"]}}},
        "key_properties": ["n"],
    },
    {"type": "RECORD", "stream": "people", "record": {"n": "1", "LastName": "Secret Ada"}},
    {"type": "RECORD", "stream": "people", "record": {"n": "2", "LastName": "Secret Bob"}},
    {"type": "RECORD", "stream": "people", "record": {"n": "3", "LastName": None}},
    {"type": "STATE", "value": {"seen": 3}},
]


def rows(*, heading: str) -> list[list[str]]:
    """The rows of the table below a heading, cell by cell."""
    part = REFERENCE.partition(f"# {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> list[str]:
    """What a cell has between backticks."""
    return re.findall("`([^`]+)`", cell)


def example(*, heading: str) -> Any:
    """The first YAML below a heading."""
    return yaml.safe_load(re.findall("```yaml\n(.+?)```", PAGE.partition(f"# {heading}\n")[2], re.DOTALL)[0])


def run(command: list[Any], *, messages: Iterable[Any] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    given = "".join(json.dumps(message) + "\n" for message in messages)
    environment = {**os.environ, **variables}
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=environment)


def commands(folder: Path, *, url: str) -> tuple[list[Any], list[Any]]:
    """The tap's command, and the target's, which inserts contacts."""
    login = {"login_url": url, "client_id": "sim-client", "client_secret": "sim-secret", "refresh_token": "sim-refresh"}
    settings = {**login, "poll_min_s": 0.01, "quota_percent_per_run": 100}
    tap = {**settings, "streams_to_discover": ["Account", "Contact"], "page_size": 2}
    target = {**settings, "operation": "insert", "object": "Contact", "unknown_fields": "drop"}
    (folder / "tap.json").write_text(json.dumps(tap))
    (folder / "target.json").write_text(json.dumps({**target, "results_dir": str(folder / "results")}))
    return (
        [BIN / "tap-salesforce-bulk", "--config", folder / "tap.json"],
        [BIN / "target-salesforce-bulk", "--config", folder / "target.json"],
    )


@pytest.fixture
def tap(url: str, tmp_path: Path) -> list[Any]:
    """The tap's command."""
    return commands(tmp_path, url=url)[0]


@pytest.fixture
def target(url: str, tmp_path: Path) -> list[Any]:
    """The target's command."""
    return commands(tmp_path, url=url)[1]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector."""
    with collecting() as started:
        yield started


@dataclass(frozen=True, kw_only=True)
class Watched:
    """All that was to be seen of one run of each command."""

    tap: Collector
    target: Collector
    tap_log: list[dict[str, Any]]
    target_log: list[dict[str, Any]]
    exit_codes: list[int]
    job_ids: list[str]
    run_id: str
    """By the name of the target's summary."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """The tap reads five accounts and a contact; the target loads two contacts, and a third is refused."""
    folder = tmp_path_factory.mktemp("watched")
    org = Org(progression=Progression.immediate())
    org.insert("Account", [{"Name": f"Secret {number}"} for number in range(5)])
    org.insert("Contact", [{"LastName": "Secret Byron"}])
    (folder / "logging.yml").write_text(yaml.safe_dump(example(heading="Logs")))
    log = {"SINGER_SDK_LOG_CONFIG": str(folder / "logging.yml")}
    with running(org) as url, collecting() as of_tap, collecting() as of_target:
        tap, target = commands(folder, url=url)
        done = [run(tap, **log, **of_tap.environment), run(target, messages=PEOPLE, **log, **of_target.environment)]
    tap_log, target_log = ([json.loads(line) for line in each.stderr.splitlines()] for each in done)
    (summary,) = (folder / "results").glob("summary-*.json")
    return Watched(
        tap=of_tap,
        target=of_target,
        tap_log=tap_log,
        target_log=target_log,
        exit_codes=[each.returncode for each in done],
        job_ids=[job["id"] for job in org.jobs],
        run_id=summary.stem.removeprefix("summary-"),
    )


def labels(**given: str) -> tuple[tuple[str, str], ...]:
    """A metric's attributes, by our own names."""
    return tuple(sorted((ATTRIBUTES[name], value) for name, value in given.items()))


def seconds(collector: Collector, name: str) -> float:
    """What a histogram has recorded, all together."""
    return sum(point.sum for point in collector.metrics[name].histogram.data_points)


# What reaches a collector


def test_a_collector_sees_what_the_tap_has_read(watched: Watched) -> None:
    """Records, jobs, requests; and a trace from the run down to each request."""
    collector = watched.tap
    jobs = {labels(job_kind="query", operation="queryAll", sobject=name): 1 for name in ("Account", "Contact")}
    spans = collector.spans_by_name()

    assert collector.points("salesforce.bulk.records.processed") == {
        labels(operation="queryAll", status="read", sobject="Account"): 5,
        labels(operation="queryAll", status="read", sobject="Contact"): 1,
    }
    assert collector.points("salesforce.bulk.jobs.created") == jobs
    assert collector.points("salesforce.bulk.jobs.completed") == jobs
    assert collector.points("salesforce.bulk.run.duration") == {labels(result="ok"): 1}
    assert 0 < seconds(collector, "salesforce.bulk.job.duration") < seconds(collector, "salesforce.bulk.run.duration")
    assert collector.total("salesforce.bulk.api.requests.limit") == 100000
    assert collector.resource["service.name"] == "tap-salesforce-bulk"
    assert len(spans["salesforce.bulk.stream"]) == 2
    assert sum(values(span.attributes)["salesforce.records"] for span in spans["salesforce.bulk.job.page"]) == 6
    requests = [span for span in collector.spans if span.kind == REQUEST]
    assert len(requests) == collector.total("salesforce.bulk.http.requests")


def test_a_collector_sees_what_became_of_the_target_s_records(watched: Watched) -> None:
    """Outcomes, jobs, uploads, and how the run has ended."""
    collector = watched.target
    what = {"operation": "insert", "sobject": "Contact"}

    assert collector.points("salesforce.bulk.records.processed") == {
        labels(status="created", **what): 2,
        labels(status="failed", **what): 1,
    }
    assert collector.points("salesforce.bulk.records.failed") == {labels(status="failed", **what): 1}
    assert collector.points("salesforce.bulk.jobs.completed") == {labels(job_kind="ingest", **what): 1}
    assert collector.points("salesforce.bulk.upload.duration") == {labels(job_kind="ingest", **what): 1}
    assert collector.points("salesforce.bulk.run.duration") == {labels(result="failed"): 1}
    (root,) = collector.spans_by_name()["salesforce.bulk.run"]
    assert values(root.attributes) == {"salesforce.run.id": watched.run_id, "process.exit.code": 1}


@pytest.mark.parametrize("command", ["tap", "target"])
def test_the_metric_lines_of_the_log_have_the_same_totals(watched: Watched, command: str) -> None:
    """So they are there without a collector, too."""
    collector: Collector = getattr(watched, command)
    log = getattr(watched, f"{command}_log")
    logged: Counter[str] = Counter()
    for point in (line["metric_info"] for line in log if "metric_info" in line):
        if point["metric"].startswith("salesforce."):
            logged[point["metric"]] += point["value"]

    counted = {each.name for each in INSTRUMENTS if each.kind is not Kind.HISTOGRAM} & collector.metrics.keys()
    assert len(counted) >= 9
    assert logged == {name: collector.total(name) for name in counted}


def test_neither_a_collector_nor_the_log_is_told_a_value_or_a_secret(watched: Watched) -> None:
    """Names of objects and counts are what is told."""
    both = (watched.tap, watched.target)
    exports = [each for collector in both for each in (*collector.metric_exports, *collector.span_exports)]
    told = b"".join(each.SerializeToString() for each in exports)
    told += json.dumps(watched.tap_log + watched.target_log).encode()

    assert b"Contact" in told
    assert [secret for secret in (b"Secret", b"sim-secret", b"sim-refresh") if secret in told] == []


def test_a_quota_stop_is_told_as_such(org: Org, tap: list[Any], collector: Collector) -> None:
    """It is no failure: the same command goes on later."""
    org.faults.add("query.create", Fault.request_limit_total())

    done = run(tap, **collector.environment)

    assert done.returncode == 75
    assert org.faults.completed
    assert collector.points("salesforce.bulk.run.duration") == {(("salesforce.result", "quota"),): 1}
    (root,) = collector.spans_by_name()["salesforce.bulk.run"]
    assert values(root.attributes)["process.exit.code"] == 75


@pytest.mark.parametrize("command", ["tap", "target"])
def test_a_run_that_is_stopped_tells_what_it_has_counted(
    org: Org, collector: Collector, command: str, request: pytest.FixtureRequest
) -> None:
    """A signal ends the run, and does not hide it."""
    words = request.getfixturevalue(command)
    org.progression = Progression.looks(1_000_000)
    environment = {**os.environ, "LOGLEVEL": "DEBUG", **collector.environment}
    given = "".join(json.dumps(message) + "\n" for message in PEOPLE) if command == "target" else ""
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(given)
        process.stdin.close()
        next(
            line for line in process.stderr if re.search(r"GET /services/data/v66.0/jobs/\w+/\w{18} answered 200", line)
        )
        process.send_signal(signal.SIGTERM)
        if command == "target":  # a closed job is waited for, until a second signal
            next(line for line in process.stderr if "aborting open jobs" in line)
            process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()

    assert process.returncode == 143, rest
    assert collector.points("salesforce.bulk.run.duration") == {(("salesforce.result", "stopped"),): 1}
    assert collector.total("salesforce.bulk.jobs.created") >= 1


def test_a_collector_that_does_not_answer_costs_seconds_and_a_warning(org: Org, target: list[Any]) -> None:
    """Same outcomes, same STATE, same error and exit code."""
    with collecting(stalls=True) as collector:
        began_at = time.monotonic()
        done = run(target, messages=PEOPLE, **collector.environment)
        took_s = time.monotonic() - began_at

    error, warning = done.stderr.splitlines()[-2:]
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"seen": 3}
    assert len(org.rows("Contact")) == 2
    assert "| ERROR " in error
    assert "1 of 3 records failed" in error
    assert warning.endswith("telemetry may be lost, the run is not: the collector has not taken everything within 3 s")
    assert collector.headers
    assert took_s < 15


# Logs


def test_each_line_of_a_json_log_is_an_object_with_the_run_s_id(watched: Watched) -> None:
    """The fields are those of the page; the target's files are named by the same id."""
    documented = {names(row[0])[0] for row in rows(heading="Logs")}

    assert watched.exit_codes == [0, 1]
    for log in (watched.tap_log, watched.target_log):
        assert len({line["extra"]["run_id"] for line in log}) == 1
        assert {field for line in log for field in line["extra"]} - documented == set()
    assert watched.target_log[0]["extra"]["run_id"] == watched.run_id
    assert watched.tap_log[-1]["extra"]["trace_id"] == watched.tap.spans[0].trace_id.hex()


def test_the_lines_about_a_job_have_it_in_fields(watched: Watched) -> None:
    """Stream, job, state and counts can be asked for without reading text."""
    log = watched.tap_log + watched.target_log
    fields = ("sobject", "operation", "job_state", "job_id", "records")
    ended = [
        (line["stream_name"], *(line["extra"][field] for field in fields))
        for line in log
        if line["logger_name"] == "salesforce_bulk_client.jobs"
    ]
    (summary,) = (line for line in log if re.match(r"people: \d", line["message"]))

    account, contact, people = watched.job_ids
    assert ended == [
        ("Account", "Account", "queryAll", "JobComplete", account, 5),
        ("Contact", "Contact", "queryAll", "JobComplete", contact, 1),
        ("people", "Contact", "insert", "JobComplete", people, 3),
    ]
    assert summary["stream_name"] == "people"
    assert (summary["extra"]["records_created"], summary["extra"]["records_failed"]) == (2, 1)
    assert (log[-1]["level"], log[-1]["extra"]["exit_code"]) == ("error", 1)


def test_every_field_that_the_code_logs_is_on_the_page() -> None:
    """Those of lines that a good run does not have as well."""
    documented = {names(row[0])[0] for row in rows(heading="Logs")}
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    given = re.findall(r"(?:extra|fields|log_fields)\w* ?= ?\{(.*?)\}", "\n".join(sources), re.DOTALL)

    fields = {field for text in given for field in re.findall(r'"(\w+)":', text)}
    assert {"stream_name", "error_type", "wait_s", "fields_changed"} <= fields
    assert fields - documented == {"stream_name"}


def test_meltano_hands_the_fields_on(org: Org, tap: list[Any], target: list[Any], tmp_path: Path) -> None:
    """``meltano run`` reads our lines as data, since the plugins say that they can write such."""
    org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    plugins = {
        "extractors": (tap, {"streams_to_discover": ["Account"]}, ["catalog", "discover", "state"]),
        "loaders": (target, {"operation": "update", "object": "Account"}, []),
    }
    project = {
        "default_environment": "dev",
        "environments": [{"name": "dev"}],
        "send_anonymous_usage_stats": False,
        "plugins": {
            kind: [
                {
                    "name": words[0].name,
                    "namespace": words[0].name.replace("-", "_"),
                    "executable": str(words[0]),
                    "capabilities": [*capabilities, "structured-logging"],
                    "config": {**json.loads(words[-1].read_text()), **more},
                }
            ]
            for kind, (words, more, capabilities) in plugins.items()
        },
    }
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project))
    words = [BIN / "meltano", "--log-format", "json", "run", tap[0].name, target[0].name]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)

    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    ended = [line for line in lines if " ended JobComplete" in line["event"]]
    assert done.returncode == 0, done.stderr
    assert [(line["name"], line["stream_name"], line["records"]) for line in ended] == [
        ("tap-salesforce-bulk", "Account", 2)
    ]
    assert {"run_id", "job_id", "job_state"} <= ended[0].keys()


# The page


def in_prometheus(instrument: Instrument) -> str:
    """A metric's name by the rules of OpenTelemetry's page on Prometheus: the unit is a suffix, then ``_total``."""
    unit = {"s": "_seconds", "By": "_bytes"}.get(instrument.unit, "")
    return instrument.name.replace(".", "_") + unit + ("_total" if instrument.kind is Kind.COUNTER else "")


def test_the_page_has_each_metric_as_it_is() -> None:
    """Name, unit, attributes and meaning."""
    assert rows(heading="Metrics") == [
        [
            f"`{each.name}`",
            f"`{in_prometheus(each)}`",
            f"{each.kind.value} `{each.unit}`",
            ", ".join(f"`{ATTRIBUTES[name]}`" for name in each.attributes),
            each.meaning,
        ]
        for each in INSTRUMENTS
    ]


def test_the_page_has_each_span_as_it_is(watched: Watched) -> None:
    """Names and attributes, as they come from a run of each command."""
    seen: dict[str, set[str]] = {}
    for span in [*watched.tap.spans, *watched.target.spans]:
        name = "{method} {url.template}" if span.kind == REQUEST else span.name
        seen.setdefault(name, set()).update(values(span.attributes))

    assert seen == {names(row[0])[0]: set(names(row[1])) for row in rows(heading="Spans")}


def test_the_alerts_ask_for_metrics_and_labels_that_exist() -> None:
    """A name that is not there would never raise an alarm."""
    series = {in_prometheus(each): each for each in INSTRUMENTS}
    rules = [rule for group in example(heading="Alerts")["groups"] for rule in group["rules"]]
    for rule in rules:
        metrics = [name.removesuffix("_count") for name in re.findall(r"salesforce_bulk_\w+", rule["expr"])]
        labels = re.findall(r"salesforce_(?!bulk_)\w+", rule["expr"] + rule["annotations"]["summary"])
        known = {ATTRIBUTES[name].replace(".", "_") for metric in metrics for name in series[metric].attributes}
        assert metrics
        assert set(labels) <= known
