"""``salesforce-bulk check``: where a login leads, what is left of the limits, and what to do about what fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Fault, Limit, Org

from .conftest import Run


def calls(org: Org) -> int:
    """The org's API requests so far."""
    return int(org.limits["DailyApiRequests"].used)


def test_it_tells_where_a_login_leads(companion: Run, org: Org, url: str) -> None:
    """The flow, the org, the user and the API versions, for four API calls."""
    org.update("Organization", [{"Id": org.org_id, "Name": "Acme", "IsSandbox": True, "InstanceName": "CS42"}])

    done = companion("check")

    assert done.exit_code == 0
    assert f"Login      refresh_token at {url}\n" in done.stdout
    assert f"Org        Acme (Developer Edition, sandbox), instance CS42, {org.org_id}\n" in done.stdout
    assert f"User       sim@example.com (Sim User), {org.user_id}\n" in done.stdout
    assert "API        66.0 (the org offers 31.0 to 67.0)\n" in done.stdout
    assert "Check      all is well; it used 4 API calls, and made no job\n" in done.stdout
    assert calls(org) == 4
    assert org.jobs == []


@pytest.mark.parametrize(
    ("flow", "more"),
    [
        ("client_credentials", {"refresh_token": None}),
        ("password", {"refresh_token": None, "username": "sim@example.com", "password": "sim-pass"}),
        (
            "soap",
            {
                "refresh_token": None,
                "client_id": None,
                "client_secret": None,
                "username": "sim@example.com",
                "password": "sim-pass",
                "security_token": "sim-token",
            },
        ),
    ],
)
def test_every_flow_finds_its_user(companion: Run, org: Org, flow: str, more: dict[str, Any]) -> None:
    """SOAP's session, too, which knows no OAuth scope."""
    done = companion("check", **more)

    assert done.exit_code == 0
    assert f"Login      {flow} at " in done.stdout
    assert f"User       sim@example.com (Sim User), {org.user_id}\n" in done.stdout


def test_it_tells_what_is_left_of_the_limits(companion: Run, org: Org) -> None:
    """Used, all, left, and where the plugins stop; and how many requests a run may use."""
    org.limits["DailyApiRequests"] = Limit(100_000, used=70_000)
    org.limits["DailyBulkV2QueryJobs"] = Limit(10_000, used=12)

    done = companion("check", quota_percent_total=75, quota_percent_per_run=50)

    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["DailyApiRequests", "70,004", "100,000", "29,996", "75,000"] in lines
    assert ["DailyBulkV2QueryJobs", "12", "10,000", "9,988", "7,500"] in lines
    assert ["DataStorageMB", "0", "1,024", "1,024"] in lines
    assert "A run that begins now may use 4,996 API requests" in done.stdout


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("DailyApiRequests", "reading and loading"),
        ("DailyBulkV2QueryJobs", "reading"),
        ("DailyBulkApiBatches", "loading"),
    ],
)
def test_a_limit_at_which_the_plugins_stop_is_exit_code_75(companion: Run, org: Org, limit: str, what: str) -> None:
    """As the plugins have it; nothing else has failed."""
    org.limits[limit] = Limit(1000, used=900)

    done = companion("check")

    assert done.exit_code == 75
    assert f"{what} would stop: 90" in done.stdout
    assert "a quota stands in the way" in done.stdout


def test_limits_that_are_used_up_are_exit_code_75(companion: Run, org: Org) -> None:
    """Salesforce then refuses the first request already."""
    org.limits["DailyApiRequests"] = Limit(1000, used=1000)

    done = companion("check")

    assert done.exit_code == 75
    assert "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded." in done.stderr
    assert "The limit counts the last 24 hours" in done.stderr


def test_limits_that_the_user_may_not_see_are_a_note(companion: Run, org: Org) -> None:
    """The plugins do without them as well."""
    org.faults.add("limits", Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))

    done = companion("check")

    assert done.exit_code == 0
    assert "the permission View Setup and Configuration lets this user see them" in done.stdout
    assert org.faults.completed


def test_rows_that_the_user_may_not_read_leave_the_ids(companion: Run, org: Org) -> None:
    """Of the org and of the user."""
    refused = Fault.status(400, json=[{"errorCode": "INVALID_TYPE", "message": "no"}])
    org.faults.add("rest.query", refused, times=2)

    done = companion("check")

    assert done.exit_code == 0
    assert f"Org        {org.org_id} (this user may not read Organization)\n" in done.stdout
    assert f"User       {org.user_id} (this user may not read its own User row)\n" in done.stdout
    assert len(org.faults.completed) == 2


def test_an_org_that_does_not_tell_who_asks_is_checked_all_the_same(companion: Run, org: Org) -> None:
    """Org and user are said to be unknown; limits and streams are checked."""
    org.faults.add("version", Fault.status(200, json={"sobjects": "/services/data/v66.0/sobjects"}), times=2)

    done = companion("check", "--stream", "Account")
    document = json.loads(companion("check", "--format", "json").stdout)

    assert done.exit_code == 0
    assert "instance SIM1, id unknown (the org does not tell it)\n" in done.stdout
    assert "User       unknown (the org does not tell who is logged in)\n" in done.stdout
    assert "DailyApiRequests" in done.stdout
    assert "Records    0, deleted ones included\n" in done.stdout
    assert (document["ok"], document["org"]["id"], document["user"]) == (True, None, {"id": None})
    assert len(org.faults.completed) == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            {"refresh_token": "wrong-refresh"},
            "(the refresh token is revoked, expired or rotated away: authorize the app",
        ),
        ({"client_id": "wrong-client"}, "(check client_id)"),
        (
            {"refresh_token": None, "username": "sim@example.com", "password": "wrong-password"},
            "login by password at http://127.0.0.1:",
        ),
        ({"login_url": "http://acme.example.com"}, "plain http is only for loopback addresses; use https"),
        (
            {"login_url": "http://127.0.0.1:9", "retry_total_s": 0.1},
            "Look at the address, and whether this machine may",
        ),
        ({"api_version": "99.0"}, "api_version is 99.0, but this org offers 31.0 to 67.0: set one of them"),
    ],
)
def test_a_login_that_fails_says_what_to_do(companion: Run, wrong: dict[str, Any], told: str) -> None:
    """On stderr, with exit code 1; no secret is shown."""
    done = companion("check", **wrong)

    assert done.exit_code == 1
    assert told in done.stderr
    assert "something failed" in done.stdout
    for secret in ("sim-secret", "sim-refresh", "wrong-refresh", "wrong-password"):
        assert secret not in done.output


def test_a_user_without_the_api_is_told_what_to_ask_for(companion: Run, org: Org) -> None:
    """It logs in, and is refused after that."""
    message = "API is not enabled for this Organization or Partner"
    org.faults.add("version", Fault.status(403, json=[{"errorCode": "API_DISABLED_FOR_ORG", "message": message}]))

    done = companion("check")

    assert done.exit_code == 1
    assert message in done.stderr
    assert "the user lacks the permission API Enabled" in done.stderr
    assert org.faults.completed


def test_json_tells_the_same_to_programs(companion: Run, org: Org) -> None:
    """One document, also when something failed."""
    good = json.loads(companion("check", "--format", "json").stdout)
    bad = json.loads(companion("check", "--format", "json", refresh_token="wrong").stdout)

    assert good["ok"] is True
    assert good["org"] == {
        "id": org.org_id,
        "name": "Simulated Org",
        "type": "Developer Edition",
        "instance": "SIM1",
        "is_sandbox": False,
    }
    assert good["user"] == {"id": org.user_id, "name": "Sim User", "username": "sim@example.com"}
    assert good["api"] == {"version": "66.0", "newest": "67.0"}
    assert good["api_calls"] == 4
    assert good["limits"][0]["name"] == "DailyApiRequests"
    assert (bad["ok"], bad["problems"][0]["stream"]) == (False, None)
    assert "expired access/refresh token" in bad["problems"][0]["message"]


def test_the_installed_command_does_it(settings: dict[str, Any], folder: Path) -> None:
    """A process of its own: plain lines into a pipe, nothing on stderr, and the exit code."""
    (folder / "config.json").write_text(json.dumps(settings))
    command = [
        Path(sys.executable).parent / "salesforce-bulk",
        "check",
        "--config",
        "config.json",
        "--stream",
        "Account",
    ]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "Records    0, deleted ones included\n" in done.stdout
