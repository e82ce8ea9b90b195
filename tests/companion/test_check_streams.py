"""``salesforce-bulk check --stream``: the tap's own query, how many rows it finds, and what reading them would take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Limit, Org, Progression
from tap_salesforce_bulk.tap import TapSalesforceBulk

from .conftest import Run


class Nowhere(TapSalesforceBulk.message_writer_class):  # type: ignore[misc,name-defined]
    """Writes nothing."""

    def write_message(self, message: Any) -> None:
        """Drop it."""

    def write_lines(self, lines: bytes) -> None:
        """Drop them."""


def read(settings: dict[str, Any]) -> None:
    """Let the tap itself read."""
    TapSalesforceBulk(config=settings, message_writer=Nowhere()).sync_all()


def stream_of(done: Any) -> dict[str, Any]:
    (stream,) = json.loads(done.stdout)["streams"]
    found: dict[str, Any] = stream
    return found


@pytest.fixture
def accounts(org: Org) -> None:
    """Three accounts, one of them deleted."""
    ids = org.insert("Account", [{"Name": "Ada", "AnnualRevenue": 4711}, {"Name": "Bob"}, {"Name": "Cyd"}])
    org.delete("Account", ids[2:])


SETTINGS: list[dict[str, Any]] = [
    {},
    {"start_date": "2020-01-01"},
    {"include_deleted": False},
    {"soql_filters": {"Account": "Name LIKE 'A%'"}},
]


@pytest.mark.parametrize("more", SETTINGS)
def test_the_query_is_the_taps_own(
    companion: Run, org: Org, settings: dict[str, Any], accounts: None, more: dict[str, Any]
) -> None:
    """Word for word what the tap then sends, but for the clock; and the count is of its rows."""
    found = stream_of(companion("check", "--stream", "Account", "--format", "json", **more))
    assert org.jobs == []
    read({**settings, "poll_min_s": 0.01, "streams_to_discover": ["Account"], **more})

    (job,) = org.jobs
    (soql,) = org.queries
    assert _without_clock(found["soql"]) == _without_clock(soql)
    assert found["operation"] == job["operation"]
    assert found["records"] == job["numberRecordsProcessed"]


def _without_clock(soql: str) -> str:
    return re.sub(r"SystemModstamp < \S+", "SystemModstamp < now", soql)


def test_values_are_hidden_unless_asked_for(companion: Run, accounts: None) -> None:
    """Their shape is told; fields that are empty in all of them, or whose type says it all, are counted."""
    hidden = companion("check", "--stream", "Account", "--sample", "2")
    shown = companion("check", "--stream", "Account", "--sample", "2", "--show-values")
    as_json = companion("check", "--stream", "Account", "--format", "json")

    assert "AnnualRevenue" in hidden.stdout
    assert re.search(r"^Name +string +Xxx +Xxx *$", hidden.stdout, re.MULTILINE)
    assert "0000.0" in hidden.stdout
    assert "fields, null in all of them; " in hidden.stdout
    assert "fields whose type says what values are like" in hidden.stdout
    assert "SystemModstamp  " not in hidden.stdout
    assert "SystemModstamp  " in shown.stdout
    assert "'Xxx'" in str(stream_of(as_json)["sample"])
    for value in ("Ada", "Bob", "4711"):
        assert value not in hidden.output
        assert value not in as_json.output
        assert value in shown.stdout


@pytest.mark.parametrize("page_size", [10, 100, 1000])
def test_pages_and_api_calls_are_those_that_the_tap_then_needs(
    companion: Run, org: Org, settings: dict[str, Any], page_size: int
) -> None:
    """Describe, the job, a look at it, and the pages, with their list where there are several."""
    org.insert("Account", [{"Name": f"A{number}"} for number in range(95)])
    config = {**settings, "poll_min_s": 0.01, "streams_to_discover": ["Account"], "page_size": page_size}

    estimate = stream_of(companion("check", "--stream", "Account", "--format", "json", page_size=page_size))["estimate"]
    org.requests.clear()
    read(config)

    of_the_stream = [path for _, path in org.requests if "/jobs/" in path or path.endswith("/describe")]
    assert estimate["pages"] == len([path for path in of_the_stream if path.endswith("/results")])
    assert estimate["api_calls"] == len(of_the_stream)


def test_windows_are_jobs_of_their_own(companion: Run, org: Org, settings: dict[str, Any], accounts: None) -> None:
    """As many as the tap then makes; the query and the count are of all of them."""
    windows = {"window_days": 400, "start_date": "2020-01-01"}

    found = stream_of(companion("check", "--stream", "Account", "--format", "json", **windows))
    read({**settings, "poll_min_s": 0.01, "streams_to_discover": ["Account"], **windows})

    assert found["jobs"] == len(org.jobs) > 5
    assert found["records"] == 3
    assert "SystemModstamp >= 2020-01-01T00:00:00.000Z" in found["soql"]


def test_windows_without_a_start_begin_with_the_first_row(companion: Run, org: Org) -> None:
    """Which costs one more call."""
    org.insert("Account", [{"Name": "Old", "SystemModstamp": "2020-06-01T00:00:00.000Z"}])

    found = stream_of(companion("check", "--stream", "Account", "--format", "json", window_days=36500))

    assert found["jobs"] == 1


NOT_VALID = "the first or last SystemModstamp, queried via REST, is not a valid value"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "a record of a REST answer lacks SystemModstamp, which was queried"),
        ({"SystemModstamp": None}, NOT_VALID),
        ({"SystemModstamp": "odd"}, NOT_VALID),
        ({"SystemModstamp": 5}, NOT_VALID),
    ],
)
def test_a_first_row_of_an_odd_form_is_an_error_of_its_stream(
    companion: Run, org: Org, value: dict[str, Any], message: str
) -> None:
    """In one line, not a traceback."""
    org.insert("Account", [{"Name": "Ada"}])
    answer = {"totalSize": 1, "done": True, "records": [{"attributes": {}, **value}]}
    org.faults.add("rest.query", Fault.status(200, json=answer), times=9)

    done = companion("check", "--stream", "Account", window_days=36500)

    assert org.faults.completed
    assert done.exit_code == 1
    assert message in done.output


def test_the_state_tells_what_the_next_run_reads(companion: Run, folder: Path, org: Org) -> None:
    """From the bookmark less the lookback; also as `meltano state get` writes it."""
    org.insert("Account", [{"Name": "Old", "SystemModstamp": "2020-06-01T00:00:00.000Z"}, {"Name": "New"}])
    entry = {"replication_key": "SystemModstamp", "replication_key_value": "2024-01-01T00:10:00.000Z"}
    state = {"singer_state": {"bookmarks": {"Account": entry}}}
    (folder / "state.json").write_text(json.dumps(state))

    found = stream_of(companion("check", "--stream", "Account", "--state", "state.json", "--format", "json"))

    assert found["records"] == 1
    assert "SystemModstamp >= 2024-01-01T00:00:00.000Z" in found["soql"]


def test_the_catalog_tells_what_is_selected(companion: Run, folder: Path, settings: dict[str, Any]) -> None:
    """Its selected streams, with their selected fields; no --stream is all of them."""
    config = {**settings, "streams_to_discover": ["Account", "Contact", "Lead"]}
    catalog = json.loads(json.dumps(TapSalesforceBulk(config=config, setup_mapper=False).catalog_dict))
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"]:
                entry["metadata"]["selected"] = entry["breadcrumb"][1] == "Name"
            else:
                entry["metadata"]["selected"] = stream["tap_stream_id"] != "Lead"
    (folder / "catalog.json").write_text(json.dumps(catalog))

    document = json.loads(companion("check", "--catalog", "catalog.json", "--format", "json").stdout)
    other = companion("check", "--catalog", "catalog.json", "--stream", "Lead")

    assert [stream["stream"] for stream in document["streams"]] == ["Account", "Contact"]
    assert sorted(document["streams"][0]["fields"]) == ["Id", "Name", "SystemModstamp"]
    assert "'Lead' names no stream that the catalog selects" in other.stderr


def test_the_time_rests_on_an_earlier_job_and_on_the_sample(
    companion: Run, org: Org, settings: dict[str, Any], accounts: None
) -> None:
    """Without an earlier job it is the least that it takes, and says so."""
    without = companion("check", "--stream", "Account")
    org.progression = Progression.seconds(0.05)
    read({**settings, "poll_min_s": 0.01, "streams_to_discover": ["Account"]})
    with_one = companion("check", "--stream", "Account")

    assert "Estimate   at least 0." in without.stdout
    assert (
        "without the time that Salesforce takes to run the query: no earlier job of its size shows how long that is"
        in without.stdout
    )
    assert "Estimate   about 0." in with_one.stdout
    assert f"as fast as job {org.jobs[0]['id']} of " in with_one.stdout
    assert "3 records in 0.1 s" in with_one.stdout
    assert "as fast as 3 records came by REST just now" in with_one.stdout


def test_a_job_of_another_size_tells_nothing(companion: Run, org: Org, settings: dict[str, Any]) -> None:
    """An incremental one of a few records would make a full read of many look endless."""
    org.progression = Progression.seconds(0.05)
    org.insert("Account", [{"Name": "Ada"}])
    read({**settings, "poll_min_s": 0.01, "streams_to_discover": ["Account"]})
    org.insert("Account", [{"Name": f"A{number}"} for number in range(20)])

    done = companion("check", "--stream", "Account")

    assert "no earlier job of its size shows how long that is" in done.stdout


def test_a_speed_that_is_given_is_believed(companion: Run, accounts: None) -> None:
    """It stands for all of the time."""
    found = stream_of(
        companion("check", "--stream", "Account", "--records-per-second", "1.5", "--sample", "0", "--format", "json")
    )

    assert found["estimate"]["seconds"] == 2.0
    assert found["estimate"]["basis"] == ["1.5 records a second, as you said"]
    assert found["sample"] == []


def test_a_stream_costs_few_calls(companion: Run, org: Org, accounts: None) -> None:
    """Describe, count, sample; and once for all streams the list of objects and of earlier jobs."""
    done = companion("check", "--stream", "Account", "--stream", "Contact")

    assert "it used 11 API calls, and made no job" in done.stdout
    assert int(org.limits["DailyApiRequests"].used) == 11


def test_what_bulk_refuses_is_read_by_rest(companion: Run, org: Org, settings: dict[str, Any]) -> None:
    """With REST's own pages, and no job."""
    org.insert("CaseStatus", [{"MasterLabel": f"S{number}"} for number in range(3)])

    found = stream_of(companion("check", "--stream", "CaseStatus", "--format", "json"))
    org.requests.clear()
    read({**settings, "streams_to_discover": ["CaseStatus"]})

    assert (found["by"], found["jobs"], found["records"]) == ("rest", 0, 3)
    queries = [path for _, path in org.requests if "/query" in path]
    assert (found["estimate"]["pages"], found["estimate"]["api_calls"]) == (len(queries), 1 + len(queries))


def test_one_bad_stream_does_not_stop_the_others(companion: Run, accounts: None) -> None:
    """Names are globs in any case; each stream is checked once."""
    done = companion("check", "--stream", "Accounts", "--stream", "account", "--stream", "ACC*nt")

    assert done.exit_code == 1
    assert "Error: Accounts: this user can query no such object; did you mean Account?" in done.stderr
    assert done.stdout.count("\nAccount\n") == 1
    assert "something failed" in done.stdout


@pytest.mark.parametrize(
    ("more", "told", "advice"),
    [
        ({"soql_filters": {"Account": "Nothing__c = 'x'"}}, "INVALID_FIELD", "Look at soql_filters"),
        ({"soql_filters": {"Account": "Name ="}}, "MALFORMED_QUERY", "Look at soql_filters"),
        ({"start_date": "2999-01-01"}, "the start_date, 2999-01-01T00:00:00.000Z, lies in the future", ""),
        ({"page_size": 0}, "page_size must be at least 1", ""),
        ({"window_days": 0}, "window_days must be at least 0.01", ""),
    ],
)
def test_settings_that_the_tap_would_fail_with_are_told(
    companion: Run, accounts: None, more: dict[str, Any], told: str, advice: str
) -> None:
    """In the tap's words, or Salesforce's."""
    done = companion("check", "--stream", "Account", **more)

    assert done.exit_code == 1
    assert told in done.stderr
    assert advice in done.stderr


def test_an_object_that_cannot_be_described_does_not_hide_the_others(companion: Run, org: Org) -> None:
    """Of those that a glob stands for."""
    refused = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "not for you"}]
    org.faults.add("describe", Fault.status(403, json=refused))

    done = companion("check", "--stream", "Account*", "--format", "json")

    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (len(document["streams"]), len(document["problems"])) == (2, 1)
    assert "not for you" in document["problems"][0]["message"]
    assert "ask an administrator" in document["problems"][0]["advice"]


def test_an_object_that_may_not_be_read_says_whom_to_ask(companion: Run, org: Org) -> None:
    """It is there, but its rows are not for this user."""
    message = "sObject type 'Account' is not supported."
    refused = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": message}])
    org.faults.add("rest.query", refused, after=2)

    done = companion("check", "--stream", "Account")

    assert done.exit_code == 1
    assert message in done.stderr
    assert "ask an administrator for the permission to read it" in done.stderr
    assert org.faults.completed


def test_a_quota_that_reading_would_meet_is_exit_code_75(companion: Run, org: Org) -> None:
    """In the tap's words."""
    org.limits["DailyBulkV2QueryJobs"] = Limit(10, used=9)

    done = companion("check", "--stream", "Account")

    assert done.exit_code == 75
    assert "stopped for quota: 9 of the org's 10 DailyBulkV2QueryJobs are used" in done.stderr


def test_nothing_is_written(companion: Run, folder: Path, accounts: None) -> None:
    """Neither the schema registry, nor anything else."""
    done = companion("check", "--stream", "Account", schema_registry="registry")

    assert done.exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["config.json"]
