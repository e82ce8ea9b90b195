"""The command itself: exit codes, one clear line for what a user can mend, and nothing written to the org then."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from salesforce_bulk_simulator import Org

from tests.target.conftest import Command, TargetRunner, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
ADA = records("Account", {"External_Id__c": "a", "Name": "Ada"})


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on stderr that are neither information nor warnings."""
    return [line for line in done.stderr.splitlines() if " INFO " not in line and " WARNING " not in line]


def test_a_good_run_exits_0_and_writes_state_only(org: Org, command: Command) -> None:
    """Standard output is the STATE stream, and nothing else."""
    done = command(ACCOUNT, ADA, state({"n": 1}))

    assert (done.returncode, done.stdout) == (0, '{"n":1}\n')
    assert errors(done) == []
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_failed_records_exit_1(org: Org, command: Command) -> None:
    """STATE has passed; the one error line says how many failed and where they are."""
    done = command(ACCOUNT, records("Account", {"External_Id__c": "a", "Name": None}), state({"n": 1}))

    assert (done.returncode, done.stdout) == (1, '{"n":1}\n')
    assert len(errors(done)) == 1
    assert "1 of 1 record failed, see " in errors(done)[0]


@pytest.mark.parametrize(
    ("messages", "chosen", "told"),
    [
        ([ACCOUNT, ADA], {"object": "Akkount"}, "Salesforce has no object 'Akkount', or your user may not see it"),
        (
            [schema("Account", key=["External_Id__c"], External_Id__c="string", Shoe="string")],
            {},
            "no field 'Shoe'",
        ),
        ([schema("Account", Name="string")], {}, 'set "external_id_field", or send key_properties'),
        ([ACCOUNT, ADA, b'{"type": "RECORD", \n'], {}, "line 3 of the input is broken: no JSON"),
        ([ACCOUNT, b"[]\n"], {}, "line 2 of the input is broken: no Singer message"),
        ([ACCOUNT, b'{"type": "RECORD", "stream": "Account"}\n'], {}, "line 2 of the input is broken: a RECORD"),
        ([ADA, ACCOUNT], {}, "A record for stream 'Account' was encountered before a corresponding schema"),
        ([ACCOUNT, ADA], {"refresh_token": "wrong"}, "invalid_grant"),
        ([ACCOUNT, ADA], {"login_url": "http://example.com"}, "plain http is only for loopback addresses"),
        ([ACCOUNT, ADA], {"client_id": None}, "also needs client_id"),
        ([ACCOUNT, ADA], {"batch_size_rows": 0}, "batch_size_rows must be at least 1"),
        ([ACCOUNT, ADA], {"operation": "merge"}, "operation must be one of insert, update"),
        (
            [ACCOUNT, ADA],
            {"mappings": {"Account": {"null_policy": "keep"}}},
            "null_policy must be one of clear, ignore",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    org: Org, command: Command, messages: list[Any], chosen: dict[str, Any], told: str
) -> None:
    """No traceback, exit code 1, no STATE, and nothing in the org."""
    done = command(*messages, state({"n": 1}), **chosen)

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(errors(done)) == 1
    assert told in errors(done)[0]
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert org.rows("Account") == []
    assert not any(job["state"] == "Open" for job in org.jobs)


def test_a_record_without_its_key_is_one_failed_row(org: Org, command: Command) -> None:
    """The log names its stream and line, and the others are loaded."""
    done = command(ACCOUNT, records("Account", {"Name": "secret"}), ADA, state({"n": 1}))

    assert done.returncode == 1
    assert done.stdout == '{"n":1}\n'
    assert "stream 'Account': line 2 of the input lacks the key property 'External_Id__c', so it fails" in done.stderr
    assert "secret" not in done.stderr
    assert "1 of 2 records failed" in errors(done)[0]
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


@pytest.mark.parametrize("place", [".", "below", "pending"])
def test_a_results_dir_that_is_a_file_is_one_line(org: Org, command: Command, tmp_path: Path, place: str) -> None:
    """Before anything is sent."""
    results_dir = tmp_path / "results" / ("below" if place == "below" else ".")
    if place == "pending":
        results_dir.mkdir()
        (results_dir / "pending").touch()
    else:
        (tmp_path / "results").touch()

    done = command(ACCOUNT, ADA, state({"n": 1}), results_dir=str(results_dir))

    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = errors(done)
    assert f"results_dir {str(results_dir)!r} cannot be used: it is not a folder; name a folder" in line
    assert org.requests == []


def test_an_unreachable_host_is_one_line(command: Command) -> None:
    """After the tries that ``retry_total_s`` allows."""
    done = command(ACCOUNT, ADA, login_url="http://127.0.0.1:9", retry_total_s=0.1)

    assert done.returncode == 1
    assert len(errors(done)) == 1
    assert "127.0.0.1" in errors(done)[0]
    assert "Traceback" not in done.stderr


def test_a_config_that_is_no_json_is_one_line(tmp_path: Path) -> None:
    """The SDK reads it before anything of ours runs."""
    (tmp_path / "config.json").write_text('{"client_id": ')
    words = [Path(sys.executable).with_name("target-salesforce-bulk"), "--config", tmp_path / "config.json"]
    done = subprocess.run(words, input="", capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "the config is not valid JSON" in done.stderr
    assert "Traceback" not in done.stderr


def test_about_names_each_setting_with_its_default() -> None:
    """``load_method``, which nothing here acts on, is not among them."""
    about = subprocess.run(
        [Path(sys.executable).with_name("target-salesforce-bulk"), "--about", "--format=json"],
        capture_output=True,
        check=True,
    )

    settings = json.loads(about.stdout)["settings"]["properties"]
    assert settings["batch_size_rows"]["default"] == 100_000
    assert settings["results_dir"]["default"] == "salesforce/logs"
    assert "load_method" not in settings


def test_a_second_run_in_the_same_folder_is_refused(org: Org, command: Command, target: TargetRunner) -> None:
    """It says so at once; the first run goes on undisturbed."""
    target.results_dir.mkdir()
    with FileLock(target.results_dir / ".lock"):
        done = command(ACCOUNT, ADA)

    assert done.returncode == 1
    assert "another run is using" in errors(done)[0]
    assert org.rows("Account") == []
