"""Our commands in plain pipes with other Singer programs and with each other."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org, Progression, running

from tests.end_to_end.conftest import BIN, WriteJson

TAP = BIN / "tap-salesforce-bulk"
TARGET = BIN / "target-salesforce-bulk"


def pipe(source: list[Any], sink: list[Any], *, cwd: Path) -> str:
    """Run ``source | sink``; both must end with 0. Gives what the sink printed."""
    line = " | ".join(shlex.join(str(word) for word in command) for command in (source, sink))
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tap(settings: dict[str, Any], write_json: WriteJson) -> Callable[..., list[Any]]:
    """Gives the tap's command line to read the named fields, with the catalog that it discovered itself."""

    def command(**fields: list[str]) -> list[Any]:
        config = write_json("tap.json", {**settings, "streams_to_discover": list(fields)})
        done = subprocess.run([TAP, "--config", config, "--discover"], capture_output=True, text=True, check=True)
        catalog = json.loads(done.stdout)
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                if entry["breadcrumb"]:
                    entry["metadata"]["selected"] = entry["breadcrumb"][-1] in fields[stream["tap_stream_id"]]
        return [TAP, "--config", config, "--catalog", write_json("catalog.json", catalog)]

    return command


def test_target_jsonl_takes_what_the_tap_gives(
    org: Org, tap: Callable[..., list[Any]], singer_bin: Path, write_json: WriteJson, tmp_path: Path
) -> None:
    """A target that we did not write stores each record as it is in the org, and gives the state back."""
    (ada,) = org.insert("Account", [{"Name": 'Ada "& Sons", Zürich\nnew line', "NumberOfEmployees": 7}])
    (byron,) = org.insert("Contact", [{"LastName": "Byron", "AccountId": ada}])
    config = write_json("jsonl.json", {"destination_path": str(tmp_path), "do_timestamp_file": False})
    command = tap(Account=["Id", "Name", "NumberOfEmployees", "Website"], Contact=["Id", "AccountId"])

    state = pipe(command, [singer_bin / "target-jsonl", "--config", config], cwd=tmp_path)

    (account,) = [json.loads(line) for line in (tmp_path / "Account.jsonl").read_text().splitlines()]
    (contact,) = [json.loads(line) for line in (tmp_path / "Contact.jsonl").read_text().splitlines()]
    del account["SystemModstamp"], contact["SystemModstamp"]
    assert account == {"Id": ada, "Name": 'Ada "& Sons", Zürich\nnew line', "NumberOfEmployees": 7, "Website": None}
    assert contact == {"Id": byron, "AccountId": ada}
    assert set(json.loads(state.splitlines()[-1])["bookmarks"]) == {"Account", "Contact"}


def test_singer_check_tap_finds_no_fault(
    org: Org, tap: Callable[..., list[Any]], singer_bin: Path, tmp_path: Path
) -> None:
    """The Singer project's own checker accepts our schemas, records, dates and states."""
    org.insert("Account", [{"Name": "Ada", "AnnualRevenue": 12.5}, {"Name": "Bob", "SicDesc": "NA"}])
    command = tap(Account=["Id", "Name", "AnnualRevenue", "SicDesc", "IsDeleted", "CreatedDate", "LastActivityDate"])

    report = pipe(command, [singer_bin / "singer-check-tap"], cwd=tmp_path)

    assert "The output is valid." in report


def test_a_singer_file_is_loaded(org: Org, settings: dict[str, Any], write_json: WriteJson, tmp_path: Path) -> None:
    """Records from any tap become rows; the state comes out once they are there."""
    schema = {"properties": {"External_Id__c": {"type": "string"}, "Name": {"type": ["string", "null"]}}}
    lines = [
        {"type": "SCHEMA", "stream": "Account", "schema": schema, "key_properties": ["External_Id__c"]},
        {"type": "RECORD", "stream": "Account", "record": {"External_Id__c": "1", "Name": "Ada"}},
        {"type": "RECORD", "stream": "Account", "record": {"External_Id__c": "2", "Name": "Bob"}},
        {"type": "STATE", "value": {"seen": 2}},
    ]
    singer = tmp_path / "accounts.singer.jsonl"
    singer.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = write_json("target.json", settings)

    state = pipe(["cat", singer], [TARGET, "--config", config], cwd=tmp_path)

    assert sorted((row["External_Id__c"], row["Name"]) for row in org.rows("Account")) == [("1", "Ada"), ("2", "Bob")]
    assert json.loads(state) == {"seen": 2}


def test_one_org_is_copied_into_another(
    org: Org, tap: Callable[..., list[Any]], settings: dict[str, Any], write_json: WriteJson, tmp_path: Path
) -> None:
    """Tap and target understand each other; contacts find their accounts by the Id that these had in the first org."""
    (ada,) = org.insert("Account", [{"Name": "Ada"}])
    org.insert("Contact", [{"LastName": "Byron", "AccountId": ada}])
    mappings = {
        "Account": {"external_id_field": "External_Id__c", "fields": {"Id": "External_Id__c"}},
        "Contact": {
            "external_id_field": "External_Id__c",
            "fields": {"Id": "External_Id__c", "AccountId": "Account.External_Id__c"},
        },
    }
    other = Org(progression=Progression.immediate())

    with running(other) as url:
        config = write_json("target.json", {**settings, "login_url": url, "mappings": mappings})
        pipe(tap(Account=["Id", "Name"]), [TARGET, "--config", config], cwd=tmp_path)
        pipe(tap(Contact=["Id", "LastName", "AccountId"]), [TARGET, "--config", config], cwd=tmp_path)

    (account,) = other.rows("Account")
    (contact,) = other.rows("Contact")
    assert (account["Name"], account["External_Id__c"]) == ("Ada", ada)
    assert (contact["LastName"], contact["AccountId"]) == ("Byron", account["Id"])
