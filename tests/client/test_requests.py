"""The one road of all requests: what is tried again, what is refused, what is told by the way."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import salesforce_bulk_client
from salesforce_bulk_client import (
    ConfigError,
    ConnectionConfig,
    ConnectionFailed,
    JobError,
    NotFound,
    QueryJob,
    QuotaExceeded,
    QuotaReached,
    RequestRefused,
    SalesforceClient,
    describe,
    describe_global,
)
from salesforce_bulk_simulator import Fault, Org, make_certificate, running


@pytest.mark.parametrize(
    "fault",
    [
        Fault.html(503),
        Fault.status(406),
        Fault.status(420, body="<html>setting things up</html>"),
        Fault.status(429, headers={"Retry-After": "1"}),
        Fault.status(500, json=[{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred."}]),
        Fault.request_limit_concurrent(),
        Fault.reset_before(),
        Fault.reset_after(),
        Fault.cut_after(bytes=10),
        Fault.status(200, body="<html>a proxy's page</html>"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status_code or fault.bytes_sent}",
)
def test_a_passing_error_costs_a_second_request(org: Org, client: SalesforceClient, fault: Fault) -> None:
    """Whatever a gateway answers, in JSON, HTML or nothing, the caller gets what was asked for."""
    org.faults.add("limits", fault)

    assert client.limits()["DailyBulkV2QueryJobs"].max == 10_000
    assert len(org.faults.completed) == 1


def test_an_answer_has_a_body_unless_it_is_a_204(org: Org, client: SalesforceClient) -> None:
    """An empty one with status 200 is broken, and asked for again."""
    for fault in (Fault.status(201, json={"id": "x"}), Fault.status(204), Fault.status(200)):
        org.faults.add("limits", fault)

    assert client.get_json("limits") == {"id": "x"}
    assert client.get_json("limits") is None
    assert "DailyApiRequests" in client.get_json("limits")
    assert len(org.faults.completed) == 3


def test_a_used_up_daily_limit_ends_it(org: Org, client: SalesforceClient) -> None:
    """Waiting for hours is the scheduler's business."""
    org.faults.add("limits", Fault.request_limit_total())

    with pytest.raises(QuotaExceeded, match=r"TotalRequests Limit exceeded\."):
        client.limits()
    assert len(org.faults.completed) == 1


def test_an_unreachable_host_is_named(url: str) -> None:
    """One line that names the host; a first login does not wait for it for ten minutes."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    config = ConnectionConfig.from_settings(
        {
            "login_url": f"http://127.0.0.1:{port}",
            "client_id": "k",
            "client_secret": "s",
            "refresh_token": "r",
            "retry_total_s": 1,
        }
    )

    with pytest.raises(
        ConnectionFailed, match=rf"no whole answer from 127\.0\.0\.1:{port} \(Connection refused: check"
    ) as caught:
        SalesforceClient(config).limits()
    assert not caught.value.may_have_worked


def test_a_host_that_nobody_vouches_for_has_got_nothing(org: Org, settings: dict[str, Any], tmp_path: Path) -> None:
    """The request has not been sent, so that it can be sent again."""
    with running(org, certificate=make_certificate(tmp_path)) as secure:
        config = ConnectionConfig.from_settings({**settings, "login_url": secure, "retry_total_s": 0.01})
        with pytest.raises(ConnectionFailed, match=r"\(TLS: .*certificate") as caught:
            SalesforceClient(config).limits()

    assert not caught.value.may_have_worked
    assert org.requests == []


@pytest.mark.parametrize("fault", [Fault.reset_after(), Fault.cut_after(bytes=5)], ids=lambda fault: fault.kind)
def test_what_must_not_happen_twice_is_sent_once_when_its_answer_is_lost(
    org: Org, client: SalesforceClient, fault: Fault
) -> None:
    """It may have worked."""
    org.faults.add("collections", fault)

    with pytest.raises(ConnectionFailed) as caught:
        client.send_json("POST", "composite/sobjects", {"records": []}, is_repeatable=False)

    assert caught.value.may_have_worked
    assert len(org.faults.completed) == 1


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(org: Org, settings: dict[str, Any]) -> None:
    """A server that says nothing is not waited for to the end of days."""
    org.faults.add("limits", Fault.stall(5))

    with SalesforceClient(ConnectionConfig.from_settings({**settings, "request_timeout_s": 0.2})) as client:
        assert client.limits()

    assert len(org.faults.completed) == 1
    assert sum(path.endswith("/limits") for _, path in org.requests) == 2


def test_several_records_for_one_external_id_are_no_success(org: Org, client: SalesforceClient) -> None:
    """Salesforce answers 300 with their addresses."""
    org.faults.add("limits", Fault.status(300, json=["/services/data/v66.0/sobjects/Account/001000000000001AAA"]))

    with pytest.raises(RequestRefused, match="answered 300"):
        client.limits()
    assert org.faults.completed


def test_credentials_of_a_netrc_are_not_sent(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[requests.PreparedRequest]
) -> None:
    """The requests library would add to a login, or put in the access token's place, what ~/.netrc has for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with SalesforceClient(ConnectionConfig.from_settings(settings)) as client:
        assert client.limits()

    assert [each.headers.get("Authorization", "none").split()[0] for each in sent] == ["none", "Bearer"]


def test_api_usage_and_the_servers_clock_come_with_every_answer(org: Org, client: SalesforceClient) -> None:
    """Nothing extra is asked for them."""
    client.limits()

    usage = client.api_usage
    assert usage is not None
    assert 0 < usage.used < usage.max
    assert abs((client.server_now() - datetime.now(UTC)).total_seconds()) < 5


def test_the_quota_guard_stops_short_of_the_limit(settings: dict[str, Any]) -> None:
    """`quota_percent_total` is a share of the org's daily requests, whoever used them."""
    config = ConnectionConfig.from_settings({**settings, "quota_percent_total": 0.000001})
    with SalesforceClient(config) as client:
        client.limits()

        with pytest.raises(QuotaReached, match="stopped for quota: quota_percent_total is 1e-06 %") as caught:
            client.check_quota()
    assert caught.value.quota == "quota_percent_total"


def test_describe_tells_objects_and_fields(client: SalesforceClient) -> None:
    """Names are read in any case, as Salesforce reads them."""
    names = {sobject.name for sobject in describe_global(client) if sobject.queryable}
    account = describe(client, "Account")
    name = account.field("nAME")

    assert {"Account", "Contact", "Opportunity"} <= names
    assert name is not None
    assert (name.name, name.type, name.length, name.nillable) == ("Name", "string", 255, False)
    assert account.field("Nonsense__c") is None


def test_an_unknown_object_is_not_found(client: SalesforceClient) -> None:
    """404 is what a user sees who may not see the object, too."""
    with pytest.raises(NotFound, match=r"GET .*/sobjects/Nonsense__c/describe answered 404 NOT_FOUND"):
        describe(client, "Nonsense__c")


@pytest.mark.parametrize("version", ["67.0", "99.0"])
def test_a_version_is_what_the_org_offers(settings: dict[str, Any], org: Org, version: str) -> None:
    """Nothing here knows which versions there are; an org without it answers 404 to everything."""
    config = ConnectionConfig.from_settings({**settings, "api_version": version})

    with SalesforceClient(config) as client:
        if version in client.versions:
            assert describe(client, "Account").name == "Account"
        else:
            with pytest.raises(
                ConfigError, match=rf"api_version is {version}, but this org offers 31\.0 to \d\d\.0: set one of them"
            ):
                describe(client, "Account")


def test_a_version_that_is_offered_later_needs_no_new_release(settings: dict[str, Any], org: Org) -> None:
    """Winter '27, for instance."""
    offered = [{"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}]
    org.faults.add("versions", Fault.status(200, json=offered))

    with SalesforceClient(ConnectionConfig.from_settings({**settings, "api_version": 68})) as client:
        client.check_version()
    assert org.faults.completed


def test_what_is_not_found_stays_so_when_the_versions_cannot_be_asked_for(org: Org, client: SalesforceClient) -> None:
    """The first error is the one that helps."""
    org.faults.add("versions", Fault.status(403))

    with pytest.raises(NotFound):
        describe(client, "Nonsense__c")
    assert org.faults.completed


def test_no_log_line_tells_a_token(org: Org, client: SalesforceClient, caplog: pytest.LogCaptureFixture) -> None:
    """One line per request: method, path, status, seconds."""
    with caplog.at_level(logging.DEBUG, logger="salesforce_bulk_client"):
        client.limits()

    token = client._authenticator.session().access_token
    assert "GET /services/data/v66.0/limits answered 200 after" in caplog.text
    assert token not in caplog.text
    assert "sim-refresh" not in caplog.text


def test_what_the_package_gives_is_named() -> None:
    """The list of names that users may rely on is complete and true."""
    public = {name for name in vars(salesforce_bulk_client) if name[0] != "_"}
    modules = {name for name in public if type(getattr(salesforce_bulk_client, name)).__name__ == "module"}

    assert set(salesforce_bulk_client.__all__) == (public - modules) | {"describe"}


def test_a_job_in_an_unknown_state_is_an_error_of_ours(org: Org, client: SalesforceClient) -> None:
    """A state that nobody knows is never waited for."""
    org.faults.add("query.info", Fault.status(200, json={"id": "750000000000001AAA", "state": "Dreaming"}))

    with pytest.raises(JobError, match="job 750000000000001AAA is in a state that is not known: 'Dreaming'"):
        QueryJob.find(client, "750000000000001AAA")
    assert org.faults.completed
