"""What identifies an org: its id, whichever way one logs in and whatever its address."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from salesforce_bulk_simulator import Fault, Org

USER = {"username": "sim@example.com", "password": "sim-pass", "security_token": "sim-token"}
APP = {"client_id": "sim-client", "client_secret": "sim-secret"}
ORG_ID = "00DSIM000000001"
"""The first 15 characters of the simulated org's id."""
OTHER_TOKEN = "a-token-of-another-form"


def client_of(settings: dict[str, Any]) -> SalesforceClient:
    """A client with these settings."""
    return SalesforceClient(ConnectionConfig.from_settings({"retry_total_s": 20, **settings}))


def refused(status: int, code: str) -> Fault:
    """A refusal in Salesforce's form."""
    return Fault.status(status, json=[{"errorCode": code, "message": "no"}])


@pytest.fixture
def given(org: Org, url: str) -> dict[str, Any]:
    """Settings with an access token that does not tell its org."""
    org.sessions._extend(OTHER_TOKEN)
    return {"access_token": OTHER_TOKEN, "instance_url": url}


@pytest.mark.parametrize(
    "settings",
    [{**APP, "refresh_token": "sim-refresh"}, APP, {**APP, **USER}, USER],
    ids=["refresh_token", "client_credentials", "password", "soap"],
)
def test_a_login_tells_the_orgs_id(org: Org, url: str, settings: dict[str, str]) -> None:
    """It costs no request beyond the login."""
    with client_of({"login_url": url, **settings}) as client:
        assert client.org_id == ORG_ID == org.org_id[:15]
    assert len(org.requests) == 1


def test_a_jwt_login_tells_the_orgs_id(org: Org, url: str) -> None:
    """As the other OAuth flows do."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    org.trust_key(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    settings = {"client_id": "sim-client", "username": "sim@example.com", "private_key": pem.decode()}

    with client_of({"login_url": url, **settings}) as client:
        assert client.org_id == ORG_ID
    assert len(org.requests) == 1


def test_an_access_token_tells_the_orgs_id(org: Org, url: str, client: SalesforceClient) -> None:
    """It begins with it."""
    token = client._authenticator.session().access_token
    org.requests.clear()

    with client_of({"access_token": token, "instance_url": url}) as given:
        assert given.org_id == ORG_ID
    assert org.requests == []


def test_one_org_has_one_id_at_all_its_addresses(org: Org, url: str) -> None:
    """A renamed My Domain or another login host is no other org."""
    addresses = [url, url.replace("127.0.0.1", "localhost")]

    ids = [client_of({"login_url": address, **APP}).org_id for address in addresses]

    assert ids == [ORG_ID, ORG_ID]


def test_the_version_root_tells_the_orgs_id(org: Org, given: dict[str, Any]) -> None:
    """One request, once, where the session does not tell it."""
    with client_of(given) as client:
        assert [client.org_id, client.org_id] == [ORG_ID, ORG_ID]
    assert org.requests == [("GET", "/services/data/v66.0/")]


@pytest.mark.parametrize(
    "root",
    [
        refused(404, "NOT_FOUND"),
        refused(403, "INSUFFICIENT_ACCESS"),
        Fault.status(200, json={"sobjects": "/services/data/v66.0/sobjects"}),
        Fault.status(200, json={"identity": None}),
        Fault.status(200, json=["identity"]),
    ],
)
def test_the_organization_record_tells_the_orgs_id(org: Org, given: dict[str, Any], root: Fault) -> None:
    """Where the version root refuses, or answers in another form."""
    org.faults.add("version", root)

    with client_of(given) as client:
        assert client.org_id == ORG_ID
    assert org.faults.completed


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "INVALID_TYPE"),
        Fault.status(200, json={"records": [], "done": True}),
        Fault.status(200, json={"records": [{"Id": 5}], "done": True}),
        Fault.status(200, json={"records": 5}),
        Fault.status(200, json="records"),
    ],
)
def test_an_org_that_does_not_give_its_id_is_known_by_its_host(
    org: Org, url: str, given: dict[str, Any], caplog: pytest.LogCaptureFixture, answer: Fault
) -> None:
    """One log line says so."""
    org.faults.add("version", refused(404, "NOT_FOUND"))
    org.faults.add("rest.query", answer)

    with caplog.at_level(logging.INFO, logger="salesforce_bulk_client"), client_of(given) as client:
        assert [client.org_id, client.org_id] == [url.removeprefix("http://")] * 2

    assert len(org.faults.completed) == 2
    assert caplog.text.count("the org does not give its id, so it is known by its host, 127.0.0.1:") == 1


def test_a_login_answer_of_another_form_does_not_end_the_run(org: Org, settings: dict[str, Any]) -> None:
    """The id is asked for instead."""
    org.sessions._extend(OTHER_TOKEN)
    answer = {"access_token": OTHER_TOKEN, "instance_url": settings["login_url"], "id": ["odd"]}
    org.faults.add("login", Fault.status(200, json=answer))

    with client_of(settings) as client:
        assert client.org_id == ORG_ID
    assert org.faults.completed
