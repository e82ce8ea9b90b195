"""The command line: errors are one line on stderr without a traceback, and the exit code says of which kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Org, Progression

from .conftest import TapRunner


@pytest.fixture
def command(tap: TapRunner, tmp_path: Path) -> Any:
    """Runs ``tap-salesforce-bulk`` as its own process; settings and files are given as Python values."""

    def run(
        *arguments: str, catalog: Any = None, state: Any = None, loglevel: str = "INFO", **more: Any
    ) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "tap_salesforce_bulk", *arguments]
        for name, content in {"config": tap.config(**more), "catalog": catalog, "state": state}.items():
            if content is not None:
                (tmp_path / name).write_text(json.dumps(content))
                words += [f"--{name}", str(tmp_path / name)]
        environment = {**os.environ, "LOGLEVEL": loglevel}
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    return run


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on stderr that are no mere information."""
    return [line for line in done.stderr.splitlines() if " | INFO " not in line]


def test_discovery_and_reading_go_through_files(command: Any, accounts: list[str]) -> None:
    """The catalog that comes out goes in again, and the state too."""
    discovered = command("--discover", streams_to_discover=["Account"])
    first = command(catalog=json.loads(discovered.stdout))
    messages = [json.loads(line) for line in first.stdout.splitlines()]
    second = command(catalog=json.loads(discovered.stdout), state=messages[-1]["value"])

    assert (discovered.returncode, first.returncode, second.returncode) == (0, 0, 0)
    assert errors(discovered) == errors(first) == errors(second) == []
    assert sorted(each["record"]["Name"] for each in messages if each["type"] == "RECORD") == ["Ada", "Bob", "Cyd"]
    assert '"RECORD"' in second.stdout


@pytest.mark.parametrize("fault", [None, Fault.html(503), Fault.status(200, body="<html>busy</html>")])
def test_discovery_fails_for_a_named_object_after_the_catalog_of_the_others(
    org: Org, command: Any, fault: Fault | None
) -> None:
    """It does not exist, or it cannot be described: a schedule that continues without it would look like success."""
    if fault:
        org.faults.add("describe", fault, times=1000)
        wanted, missing, reason = ["Lead"], "Lead", "Lead: "
    else:
        wanted, missing, reason = ["Account", "Nothing__c"], "Nothing__c", "this user can query no such object"

    done = command("--discover", streams_to_discover=wanted, retry_total_s=0.02)

    assert done.returncode == 1
    assert f"streams failed: {missing}: " in errors(done)[-1]
    assert reason in errors(done)[-1]
    assert "Traceback" not in done.stderr
    assert [each["stream"] for each in json.loads(done.stdout)["streams"]] == [
        name for name in wanted if name != missing
    ]
    assert bool(org.faults.completed) is bool(fault)


def test_discovery_goes_well_without_what_only_a_glob_matches(org: Org, command: Any) -> None:
    """An org lists objects that it always refuses to describe; they are named in a warning."""
    refusal = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "no"}])
    org.faults.add("describe", refusal, times=3)

    done = command("--discover", streams_to_discover=["Account*"])

    assert done.returncode == 0
    assert len(errors(done)) == 3
    assert all("cannot be described" in line for line in errors(done))
    assert json.loads(done.stdout) == {"streams": []}
    assert len(org.faults.completed) == 3


@pytest.mark.parametrize(
    ("arguments", "wrong", "message"),
    [
        ([], {"refresh_token": "wrong"}, "expired access/refresh token"),
        (["--discover"], {"refresh_token": "wrong"}, "expired access/refresh token"),
        (["--test"], {"client_secret": "wrong"}, "client"),
        ([], {"login_url": "http://127.0.0.1:9", "retry_total_s": 0.1}, "127.0.0.1"),
        (["--discover"], {"login_url": "http://acme.example.com"}, "plain http is only for loopback addresses"),
        ([], {"streams_to_discover": ["Nothing__c"]}, "streams_to_discover names 'Nothing__c'"),
        (["--discover"], {"streams_to_discover": ["Nothing__c"]}, "streams_to_discover names 'Nothing__c'"),
        (["--test"], {"start_date": "last week"}, "start_date is 'last week'"),
        (["--discover"], {"page_size": "many"}, "page_size must be of type integer"),
        ([], {"page_size": 0}, "page_size must be at least 1"),
        ([], {"lookback_window": 1e12}, "lookback_window must be at most 3155760000"),
    ],
)
def test_wrong_settings_are_one_line(command: Any, arguments: list[str], wrong: dict[str, Any], message: str) -> None:
    """Whatever is asked of the tap, with exit code 1 and nothing on stdout."""
    done = command(*arguments, **wrong)

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert message in errors(done)[0]
    assert done.stdout == ""


def test_an_invalid_filter_is_one_line(command: Any, accounts: list[str]) -> None:
    """With Salesforce's own words, and no record."""
    done = command(streams_to_discover=["Account"], soql_filters={"Account": "Nothing__c = 'Ada'"})

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert "Account: " in errors(done)[0]
    assert "Nothing__c" in errors(done)[0]
    assert '"RECORD"' not in done.stdout


def test_an_unknown_object_in_the_catalog_is_told(command: Any, tap: TapRunner, accounts: list[str]) -> None:
    """A catalog of another org: what this org has is read, the rest reported."""
    catalog = tap.catalog(Account=["Name"])
    stranger = json.loads(json.dumps(catalog["streams"][0]))
    catalog["streams"] = [each for each in catalog["streams"] if each["tap_stream_id"] == "Account"]
    stranger |= {"tap_stream_id": "Stranger__c", "stream": "Stranger__c"}
    for entry in stranger["metadata"]:
        entry["metadata"]["selected"] = True
    catalog["streams"].append(stranger)

    done = command(catalog=catalog)

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert "Stranger__c: this org has no such object, or the user may not see it" in errors(done)[0]
    assert done.stdout.count('"RECORD"') == 3


@pytest.mark.parametrize(
    ("bookmark", "message"),
    [
        ("2999-01-01T00:00:00Z", "lies in the future: the server's clock says"),
        ("soon", "is not a date-time: correct it, or remove the stream from the state"),
    ],
)
def test_a_bookmark_that_cannot_be_is_one_line(command: Any, accounts: list[str], bookmark: str, message: str) -> None:
    """It says what to do, and no record is emitted."""
    state = {"bookmarks": {"Account": {"replication_key": "SystemModstamp", "replication_key_value": bookmark}}}

    done = command(streams_to_discover=["Account"], state=state)

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert message in errors(done)[0]
    assert '"RECORD"' not in done.stdout


ACCOUNT = {"tap_stream_id": "Account", "schema": {}}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"state": {"bookmarks": None}}, "the state is no Singer state: its bookmarks must be an object"),
        ({"state": {"bookmarks": ["Account"]}}, "the state is no Singer state: its bookmarks must be an object"),
        ({"catalog": [{"stream": "Account"}]}, "the catalog is a list, but must be an object with streams"),
        ({"catalog": {"streams": None}}, "the catalog is no Singer catalog: its streams must be a list"),
        ({"catalog": {"streams": [{"stream": "Account"}]}}, "a stream of the catalog has no tap_stream_id"),
        (
            {"catalog": {"streams": [{**ACCOUNT, "stream": "renamed"}]}},
            "the catalog calls the stream 'Account' 'renamed': leave out stream; __alias__ in stream_maps",
        ),
        (
            {"catalog": {"streams": [{**ACCOUNT, "schema": True}]}},
            "the catalog's schema of 'Account' must be an object",
        ),
        ({"catalog": {"streams": [{**ACCOUNT, "metadata": None}]}}, "metadata of 'Account' must be a list of objects"),
        (
            {"catalog": {"streams": [{**ACCOUNT, "metadata": [{"breadcrumb": []}]}]}},
            "metadata of 'Account' must be a list of objects, each with breadcrumb and metadata",
        ),
    ],
)
def test_a_file_of_another_form_is_one_line(command: Any, files: dict[str, Any], message: str) -> None:
    """A catalog or a state that somebody has put together by hand."""
    done = command(streams_to_discover=["Account"], **files)

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert message in errors(done)[0]
    assert done.stdout == ""


def test_a_quota_guard_names_the_limit(org: Org, command: Any, accounts: list[str]) -> None:
    """One line, the exit code of a quota, and nothing that looks like a success."""
    org.limits["DailyBulkV2QueryJobs"].used = org.limits["DailyBulkV2QueryJobs"].max

    done = command(streams_to_discover=["Account"])

    assert done.returncode == 75
    assert len(errors(done)) == 1
    assert "stopped for quota: 10000 of the org's 10000 DailyBulkV2QueryJobs are used" in errors(done)[0]
    assert '"RECORD"' not in done.stdout


def test_a_quota_has_its_own_exit_code(org: Org, command: Any) -> None:
    """75, as sysexits.h has it for what may be tried again later."""
    org.faults.add("query.create", Fault.request_limit_total())

    done = command(streams_to_discover=["Account"])

    assert done.returncode == 75
    assert len(errors(done)) == 1
    assert "quota" in errors(done)[0].lower()
    assert org.faults.completed


def test_a_file_that_is_no_json_is_one_line(tmp_path: Path) -> None:
    """A config that was cut, for instance."""
    (tmp_path / "config.json").write_text('{"client_id": ')

    done = subprocess.run(
        [sys.executable, "-m", "tap_salesforce_bulk", "--config", str(tmp_path / "config.json")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert "is not valid JSON" in errors(done)[0]


def test_about_names_each_setting_with_its_default(command: Any) -> None:
    """The SDK's plain text would leave the defaults out."""
    done = command("--about")

    assert done.returncode == 0
    assert "| lookback_window | False | 600 |" in done.stdout
    assert "| page_size | False | 50000 |" in done.stdout


def test_secrets_are_not_told(command: Any, accounts: list[str]) -> None:
    """Neither when all is well nor when it is not, not even at DEBUG."""
    for more in ({}, {"client_secret": 12345678}, {"refresh_token": "wrong-87654321"}):
        done = command(streams_to_discover=["Account"], loglevel="DEBUG", **more)

        assert " | DEBUG " in done.stderr
        for secret in ("sim-secret", "sim-refresh", "12345678", "87654321"):
            assert secret not in done.stderr


def test_a_signal_ends_the_run_with_its_own_exit_code(org: Org, tap: TapRunner, tmp_path: Path) -> None:
    """The SDK would end with 0, as if everything had been read; the next run resumes from the last state."""
    org.progression = Progression.looks(1_000_000)
    (tmp_path / "config").write_text(json.dumps(tap.config(streams_to_discover=["Account"])))
    words = [sys.executable, "-m", "tap_salesforce_bulk", "--config", str(tmp_path / "config")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        messages = (json.loads(line) for line in process.stdout)
        state = next(message["value"] for message in messages if message["type"] == "STATE")
        process.send_signal(signal.SIGTERM)
        rest = list(messages)

    assert process.returncode == 143
    assert rest == []
    assert state["bookmarks"]["Account"]["job"]["job_id"] == org.jobs[0]["id"]


def test_a_variable_of_the_wrong_type_is_named(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--config ENV`` reads numbers from texts."""
    monkeypatch.setenv("TAP_SALESFORCE_BULK_PAGE_SIZE", "many")

    done = command("--config", "ENV", "--discover")

    assert done.returncode == 1
    (line,) = errors(done)
    assert "a TAP_SALESFORCE_BULK_* variable does not have its setting's type: TAP_SALESFORCE_BULK_PAGE_SIZE" in line
    assert "many" not in line


def test_a_reader_that_has_ended_is_told(tap: TapRunner, org: Org, tmp_path: Path) -> None:
    """What happened is not here but in the other program, so its words are pointed to."""
    org.insert("Account", [{"Name": f"Account {number}"} for number in range(2000)])
    config = tmp_path / "config"
    config.write_text(json.dumps(tap.config(streams_to_discover=["Account"])))
    words = [sys.executable, "-m", "tap_salesforce_bulk", "--config", str(config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        last_words = process.stderr.read()

    assert process.returncode == 1
    assert "the program that reads this output has ended" in last_words
    assert "Traceback" not in last_words


def test_a_state_of_another_tap_is_told(command: Any, accounts: list[str]) -> None:
    """It names no replication key, so that everything is read."""
    state = {"bookmarks": {"Account": {"SystemModstamp": "2024-01-15T10:30:00Z"}}}
    done = command(state=state, streams_to_discover=["Account"])

    assert done.returncode == 0
    (line,) = errors(done)
    assert "the state of Account has SystemModstamp without a replication_key" in line


def test_a_signal_is_heard_also_while_a_file_is_finalized() -> None:
    """What its handler raises there is lost without a word, so it is raised again."""
    script = """
import functools, io, logging, os, signal, time, types
from tap_salesforce_bulk.tap import TapSalesforceBulk

class Closing(io.RawIOBase):
    def close(self):
        os.kill(os.getpid(), signal.SIGTERM)
        super().close()

tap = types.SimpleNamespace(logger=logging.getLogger())
signal.signal(signal.SIGTERM, functools.partial(TapSalesforceBulk._handle_termination, tap))
Closing()
print("lost", flush=True)
time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)

    assert done.stdout == "lost\n"
    assert done.returncode == 143


# The last lines


def last_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The messages of the log after the last METRIC line."""
    messages = [line.split(" | ")[-1] for line in done.stderr.splitlines()]
    return messages[max(number for number, line in enumerate(messages) if line.startswith("METRIC: ")) + 1 :]


def test_the_last_lines_are_the_records_of_each_stream(command: Any, accounts: list[str]) -> None:
    """After all METRIC lines; a stream without records is among them."""
    done = command(streams_to_discover=["Account", "Contact"])

    assert done.returncode == 0
    assert last_lines(done) == ["Account: 3 records", "Contact: 0 records"]


def test_the_last_lines_say_what_failed(org: Org, command: Any, accounts: list[str]) -> None:
    """How far each stream came, and last of all why."""
    org.faults.add("query.results", Fault.status(403, json=[{"errorCode": "FORBIDDEN", "message": "no"}]))

    done = command(streams_to_discover=["Account", "Contact"])

    assert org.faults.completed
    assert done.returncode == 1
    *counts, error = last_lines(done)
    assert counts == ["Account: 0 records, failed (RequestRefused)", "Contact: 0 records"]
    assert error.startswith("1 of 2 streams failed: Account: ")


def test_the_last_lines_of_a_run_that_a_quota_stops_say_what_was_not_read(
    org: Org, command: Any, accounts: list[str]
) -> None:
    """The streams whose turn did not come."""
    org.faults.add("query.results", Fault.request_limit_total())

    done = command(streams_to_discover=["Account", "Contact"])

    assert org.faults.completed
    assert done.returncode == 75
    *counts, error = last_lines(done)
    assert counts == ["Account: 0 records", "Contact: not read"]
    assert "quota" in error
