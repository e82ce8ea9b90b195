"""The Airflow example: its plans fit the plugins, its files survive a crash, and its DAGs run in a real Airflow.

Airflow is large, so its DAGs run only where SALESFORCE_BULK_AIRFLOW_TESTS names a folder: Airflow and the
warehouse's plugins are installed there, each in an environment of its own, and stay for the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from salesforce_bulk_simulator import Fault, Org, Progression, running

from examples.airflow.dags.singer_steps.extraction import Extraction, cut, is_batch_loaded, keep_to_last_state
from examples.nycflights13.postgres import connection_string, running_postgres
from examples.nycflights13.verdict import Verdict, compare, read_outcomes
from examples.nycflights13.warehouse import fill_warehouse
from tests.end_to_end.conftest import BIN, run_uv

EXAMPLE = Path(__file__).parents[2] / "examples" / "airflow"
OBJECTS = EXAMPLE.parent / "nycflights13" / "salesforce.yml"
STATUS_OBJECT = {
    "name": "Load_Status__c",
    "fields": {"Ref__c": "string(120) externalId unique", "Status__c": "string(20)"},
}
TO_SALESFORCE, TO_WAREHOUSE = (
    yaml.safe_load((EXAMPLE / "dags" / f"{name}.yml").read_text())
    for name in ("warehouse_to_salesforce", "salesforce_to_warehouse")
)

SCHEMA = b'{"type": "SCHEMA", "stream": "x", "schema": {}, "key_properties": []}\n'
RECORDS = [b'{"type": "RECORD", "stream": "x", "record": {"n": %d}}\n' % number for number in range(5)]
STATE = b'{"type": "STATE", "value": {"n": 4}}\n'


def about(plugin: str) -> dict[str, Any]:
    """The settings of one of our plugins."""
    told = json.loads(subprocess.check_output([BIN / plugin, "--about", "--format=json"]))
    properties: dict[str, Any] = told["settings"]["properties"]
    return properties


def test_the_plans_hold_settings_that_the_plugins_have() -> None:
    """A misspelt setting would be passed on by the environment, and read by nobody."""
    target, tap = about("target-salesforce-bulk"), about("tap-salesforce-bulk")
    mapping = target["mappings"]["additionalProperties"]["properties"]

    for table in TO_SALESFORCE["tables"].values():
        assert set(table) <= {"stream", "replication_key", "after", "mapping", "settings"}
        assert set(table["mapping"]) <= set(mapping)
        assert set(table.get("settings", {})) <= set(target)
    for settings in TO_WAREHOUSE["objects"].values():
        assert set(settings) <= set(tap)


def test_the_plan_is_the_one_of_the_demo() -> None:
    """The same tables go to the same fields by Airflow as by Meltano."""
    (dev,) = yaml.safe_load((EXAMPLE.parent / "nycflights13" / "dev.meltano.yml").read_text())["environments"]
    (loader,) = (each for each in dev["config"]["plugins"]["loaders"] if each["name"] == "target-salesforce-bulk")

    plan = {table["stream"]: table["mapping"] for table in TO_SALESFORCE["tables"].values()}
    assert plan == loader["config"]["mappings"]


def test_each_batch_is_a_singer_file_of_its_own(tmp_path: Path) -> None:
    """It begins with the schema, and no batch is longer than was said."""
    state = cut([SCHEMA, *RECORDS, STATE], folder=tmp_path, rows=2)

    assert state == {"n": 4}
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"000{n}.singer.jsonl" for n in (1, 2, 3)]
    assert (tmp_path / "0003.singer.jsonl").read_bytes() == SCHEMA + RECORDS[4]
    assert (tmp_path / "0001.singer.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_broken_read_is_cut_back_to_its_last_state(tmp_path: Path) -> None:
    """The tap goes on from that state, so what came after it comes again."""
    path = tmp_path / "messages.part"
    path.write_bytes(SCHEMA + RECORDS[0] + STATE + RECORDS[1] + RECORDS[2][:20])

    assert keep_to_last_state(path) == {"n": 4}
    assert path.read_bytes() == SCHEMA + RECORDS[0] + STATE


def test_a_batch_is_loaded_when_a_run_of_the_target_has_finished(tmp_path: Path) -> None:
    """A run that was cut short leaves a summary, too."""
    batch = tmp_path / "0001.singer.jsonl"
    results_dir = tmp_path / "0001"
    results_dir.mkdir()
    (results_dir / "summary-1.json").write_text('{"is_finished": false}')
    before = is_batch_loaded(batch)
    (results_dir / "summary-2.json").write_text('{"is_finished": true}')

    assert (before, is_batch_loaded(batch)) == (False, True)


def test_a_run_goes_on_with_what_an_earlier_one_left(tmp_path: Path) -> None:
    """Its batches are loaded before anything new is extracted; the bookmark moves when they are."""
    first = Extraction.to_load(tmp_path, table="planes", run_id="run:1")
    first.folder.mkdir(parents=True)
    cut([SCHEMA, *RECORDS], folder=first.folder, rows=5)
    first.complete({"n": 4})

    second = Extraction.to_load(tmp_path, table="planes", run_id="run:2")
    assert second == first
    assert second.bookmark == {}
    second.confirm(run_id="run:2")
    third = Extraction.to_load(tmp_path, table="planes", run_id="run:3")
    assert third.run == "run_3"
    assert third.bookmark == {"n": 4}
    assert first.batches == []
    assert Extraction.of_run(tmp_path, table="planes", run_id="run:2") == first


@dataclass(frozen=True, kw_only=True)
class Airflow:
    """An Airflow with the example's DAGs, a warehouse with one day of flights, and a simulated org."""

    org: Org
    database_url: str
    dags: Path
    home: Path
    """SINGER_HOME"""
    pid_file: Path
    """Where the target that was started last is known by its process id."""
    environment: dict[str, str] = field(repr=False)

    def plan(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change what goes to Salesforce."""
        path = self.dags / "warehouse_to_salesforce.yml"
        plan = yaml.safe_load(path.read_text())
        change(plan)
        path.write_text(yaml.safe_dump(plan))

    def start(self, dag: str, *, log: Path, **params: Any) -> subprocess.Popen[bytes]:
        """Begin a run of a DAG, by Airflow's own ``dag.test()``."""
        command = ["airflow", "dags", "test", dag, "--conf", json.dumps(params)]
        with log.open("wb") as output:
            return subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def run(self, dag: str, *, log: Path, exit_code: int = 0, **params: Any) -> str:
        """Run a DAG to its end, and return its log, which holds no secret."""
        assert self.start(dag, log=log, **params).wait(600) == exit_code, log.read_text()[-5000:]
        told = log.read_text()
        for secret in ("sim-secret", "sim-refresh", self.environment["PGPASSWORD"]):
            assert secret not in told
        return told

    def status(self, dag: str) -> dict[str, Any]:
        """What the last run of a DAG says of itself."""
        paths = self.home.glob(f"{dag}/runs/*/status.json")
        told: dict[str, Any] = json.loads(max(paths, key=lambda path: path.stat().st_mtime_ns).read_text())
        return told


@pytest.fixture(scope="module")
def tools() -> list[Path]:
    """The folders of programs: Airflow's, and those of the warehouse's plugins, which do not get along in one."""
    place = os.environ.get("SALESFORCE_BULK_AIRFLOW_TESTS")
    if not place:
        pytest.skip("SALESFORCE_BULK_AIRFLOW_TESTS names no folder to install Airflow in")
    wanted = {
        "airflow": ["--requirement", str(EXAMPLE / "requirements.txt")],
        "tap-postgres": ["meltanolabs-tap-postgres==0.10.0"],
        "target-postgres": ["meltanolabs-target-postgres==0.8.1"],
    }
    for program, packages in wanted.items():
        venv = Path(place).resolve() / program
        if not (venv / "bin" / program).exists():
            run_uv("venv", "--clear", "--python", sys.executable, str(venv))
            run_uv("pip", "install", "--python", str(venv), *packages)
    return [Path(place).resolve() / program / "bin" for program in wanted]


@pytest.fixture
def airflow(tools: list[Path], tmp_path: Path) -> Iterator[Airflow]:
    """Everything anew for each test, in a run's real layout."""
    dags = shutil.copytree(EXAMPLE / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (home := tmp_path / "singer").mkdir()
    (first := tmp_path / "bin").mkdir()
    wrapper = first / "target-salesforce-bulk"
    wrapper.write_text(f'#!/bin/sh\necho $$ > {tmp_path}/target.pid\nexec {BIN}/target-salesforce-bulk "$@"\n')
    wrapper.chmod(0o755)
    org = Org(objects=[OBJECTS, {"objects": [STATUS_OBJECT]}], progression=Progression.immediate())
    with (
        # As root, PostgreSQL becomes another user, who may not look into pytest's folder.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as database,
        running_postgres(Path(database), log=tmp_path / "postgres.log") as postgres,
        running(org) as url,
    ):
        fill_warehouse(connection_string(postgres), last_day=date(2013, 1, 1))
        salesforce = {"login": "sim-client", "password": "sim-secret", "conn_type": "generic"}
        salesforce["extra"] = json.dumps({"login_url": url, "refresh_token": "sim-refresh", "poll_min_s": "0.1"})
        warehouse = {"conn_type": "postgres", "host": postgres["PGHOST"], "port": int(postgres["PGPORT"])}
        warehouse |= {"login": "postgres", "password": postgres["PGPASSWORD"], "schema": "postgres"}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            **postgres,
            "PATH": f"{tools[0]}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW_CONN_SALESFORCE": json.dumps(salesforce),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(warehouse),
            "SINGER_HOME": str(home),
            "SINGER_PATH": ":".join(map(str, [first, BIN, *tools[1:]])),
            "SINGER_RETRY_DELAY_S": "1",
            "SALESFORCE_QUOTA_WAIT_S": "1",
        }
        subprocess.run(["airflow", "db", "migrate"], env=environment, capture_output=True, check=True)
        yield Airflow(
            org=org,
            database_url=connection_string(postgres),
            dags=dags,
            home=home,
            pid_file=tmp_path / "target.pid",
            environment=environment,
        )


def wait_until(is_so: Callable[[], bool], *, process: subprocess.Popen[bytes]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_warehouse_goes_to_salesforce_and_back(airflow: Airflow, tmp_path: Path) -> None:
    """A quota stops the target once and the tap once: the run waits and goes on, with the same job where it was."""
    airflow.org.faults.add("ingest.create", Fault.request_limit_total())
    there = airflow.run("warehouse_to_salesforce", log=tmp_path / "there.log")
    airflow.org.faults.add("query.results", Fault.request_limit_total(), after=3)  # the second page of planes
    overrides = {"Plane__c": {"page_size": 1000}}
    back = airflow.run("salesforce_to_warehouse", log=tmp_path / "back.log", overrides=overrides)

    assert len(airflow.org.faults.completed) == 2
    assert there.count("marking task as UP_FOR_RESCHEDULE") == 1
    assert back.count("marking task as UP_FOR_RESCHEDULE") == 1
    assert [job["object"] for job in airflow.org.jobs if job["operation"].startswith("query")].count("Plane__c") == 1
    assert {table: told["outcomes"] for table, told in airflow.status("warehouse_to_salesforce")["tables"].items()} == {
        "airlines": {"created": 16},
        "airports": {"created": 1458},
        "planes": {"created": 3322},
        "flights": {"created": 676, "failed": 166},
    }
    results = next(airflow.home.glob("warehouse_to_salesforce/runs/*/results"))
    assert (results / "report.html").stat().st_size > 10_000
    assert [path.name.partition("_750")[0] for path in results.glob("*_failed.csv")] == ["Flight__c"]
    refused = read_outcomes(sorted(results.glob("outcomes-*.jsonl"))).refused
    assert compare(airflow.database_url, refused=refused)[2:] == [
        Verdict(table="planes", in_warehouse=3322, refused=0, back=3322, deleted=0, equal=3322, different=0, lost=0),
        Verdict(table="flights", in_warehouse=842, refused=166, back=676, deleted=0, equal=676, different=0, lost=0),
    ]


def test_no_row_is_loaded_twice_when_tasks_die(airflow: Airflow, tmp_path: Path) -> None:
    """Inserts, which only the journal keeps apart: the target is killed, a task is ended, the worker is killed."""

    def insert_planes_in_three_batches(plan: dict[str, Any]) -> None:
        plan["rows_per_batch"] = 1500
        plan["tables"]["planes"]["mapping"]["operation"] = "insert"

    def has_closed(jobs: int) -> bool:
        return sum(method == "PATCH" for method, _ in airflow.org.requests) == jobs

    airflow.plan(insert_planes_in_three_batches)
    airflow.org.progression = Progression.seconds(2)
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    worker = airflow.start("warehouse_to_salesforce", log=logs[0], tables=["planes"])
    try:
        wait_until(lambda: has_closed(1), process=worker)
        os.kill(int(airflow.pid_file.read_text()), signal.SIGKILL)
        wait_until(lambda: has_closed(2), process=worker)  # the task was retried, and the second batch is under way
        os.kill(worker.pid, signal.SIGTERM)  # as Airflow ends a task; the task is retried, too
        wait_until(lambda: has_closed(3), process=worker)
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    airflow.run("warehouse_to_salesforce", log=logs[1], tables=["airlines"])  # that leaves planes as they are
    last = airflow.run("warehouse_to_salesforce", log=logs[2], tables=["planes"])

    rows = airflow.org.rows("Plane__c")
    assert len(rows) == 3322
    assert len({row["Tailnum__c"] for row in rows}) == 3322
    assert "ended with exit code -9" in logs[0].read_text()
    assert "ended with exit code 143" in logs[0].read_text()
    assert "planes was not loaded to its end by run" in last
    assert airflow.status("warehouse_to_salesforce")["tables"] == {
        "planes": {"is_loaded": True, "outcomes": {"created": 3322}}
    }


def test_a_run_can_be_narrowed(airflow: Airflow, tmp_path: Path) -> None:
    """To some tables, from a batch on, with settings of the target for this run; each batch has a status record."""
    airflow.plan(lambda plan: plan.update(rows_per_batch=1500))
    # Without a connection the environment has the secrets, as where a platform's store puts them there.
    connection = json.loads(airflow.environment.pop("AIRFLOW_CONN_SALESFORCE"))
    extra = json.loads(connection["extra"])
    airflow.environment["TARGET_SALESFORCE_BULK_LOGIN_URL"] = extra["login_url"]
    airflow.environment["TARGET_SALESFORCE_BULK_CLIENT_ID"] = connection["login"]
    airflow.environment["TARGET_SALESFORCE_BULK_REFRESH_TOKEN"] = extra["refresh_token"]
    tracking = {"object": "Load_Status__c", "external_id_field": "Ref__c", "fields": {"status": "Status__c"}}
    overrides = {"planes": {"batch_size_rows": 200, "job_timeout_s": 300, "status_tracking": tracking}}
    narrow = {"tables": ["planes"], "start_batch": 3, "overrides": overrides}

    airflow.run("warehouse_to_salesforce", log=tmp_path / "run.log", **narrow)

    assert len(airflow.org.rows("Plane__c")) == 3322 - 2 * 1500
    assert airflow.org.rows("Airline__c") == []
    assert [job["object"] for job in airflow.org.jobs] == ["Plane__c", "Plane__c"]
    (status,) = airflow.org.rows("Load_Status__c")
    assert status["Ref__c"].endswith("-planes-0003")
    assert status["Status__c"] == "succeeded"


def test_a_run_with_refused_records_fails_at_its_end(airflow: Airflow, tmp_path: Path) -> None:
    """Unless the plan says otherwise; and it does not try them again, since they would be refused again."""
    airflow.plan(lambda plan: plan["tables"]["flights"]["settings"].pop("on_record_failure"))

    airflow.run("warehouse_to_salesforce", log=tmp_path / "run.log", exit_code=1, tables=["flights"])

    assert airflow.status("warehouse_to_salesforce")["status"] == "failed"
    assert airflow.status("warehouse_to_salesforce")["tables"] == {
        "flights": {"is_loaded": True, "outcomes": {"failed": 842}}  # their airports and planes are not there
    }
    assert [job["object"] for job in airflow.org.jobs] == ["Flight__c"]
