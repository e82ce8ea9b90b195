"""Logging in by each flow, and losing a session."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from salesforce_bulk_client import (
    ConfigError,
    ConnectionConfig,
    ConnectionFailed,
    LoginError,
    QuotaExceeded,
    RequestRefused,
    SalesforceClient,
    ServerBusy,
    auth,
)
from salesforce_bulk_simulator import Fault, Org, make_certificate, running

USER = {"username": "sim@example.com", "password": "sim-pass", "security_token": "sim-token"}


def logins(org: Org) -> int:
    """How many times somebody asked for a session."""
    return sum(path.startswith(("/services/oauth2/token", "/services/Soap/")) for _, path in org.requests)


def log_in(url: str, **settings: Any) -> SalesforceClient:
    """Log in with these settings, and use the session once."""
    client = SalesforceClient(ConnectionConfig.from_settings({"login_url": url, **settings, "retry_total_s": 20}))
    assert client.limits()["DailyApiRequests"].max > 0
    return client


@pytest.mark.parametrize(
    "settings",
    [
        {"client_id": "sim-client", "client_secret": "sim-secret", "refresh_token": "sim-refresh"},
        {"client_id": "sim-client", "client_secret": "sim-secret"},
        {"client_id": "sim-client", "client_secret": "sim-secret", **USER},
        USER,
    ],
    ids=["refresh_token", "client_credentials", "password", "soap"],
)
def test_a_flow_gives_a_session(org: Org, url: str, settings: dict[str, str]) -> None:
    """Each flow ends in a session that serves requests; one login is enough for many."""
    with log_in(url, **settings) as client:
        client.limits()

    assert logins(org) == 1


def test_jwt_bearer_gives_a_session(org: Org, url: str) -> None:
    """The assertion is signed with the app's key, for the audience that the login host expects."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    org.trust_key(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    log_in(url, client_id="sim-client", username="sim@example.com", private_key=pem.decode()).close()

    assert logins(org) == 1


def private_key(kind: str) -> str:
    """What stands in a file that is not the app's RSA key."""
    if kind == "no key":
        return "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"
    key = rsa.generate_private_key(65537, 2048) if kind == "locked" else ec.generate_private_key(ec.SECP256R1())
    lock = serialization.BestAvailableEncryption(b"x") if kind == "locked" else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock).decode()


@pytest.mark.parametrize("kind", ["no key", "locked", "another kind"])
def test_a_private_key_of_no_use_is_a_wrong_setting(org: Org, url: str, kind: str) -> None:
    """Nothing is sent, and nothing of the key is told."""
    with pytest.raises(ConfigError, match=r"^private_key is no RSA key in PEM form$"):
        log_in(url, client_id="sim-client", username="sim@example.com", private_key=private_key(kind))
    assert org.requests == []


@pytest.mark.parametrize(("api_version", "path"), [("100.0", "64.0"), ("66.0", "64.0"), ("58.0", "58.0")])
def test_soap_login_uses_the_last_version_that_has_it(org: Org, url: str, api_version: str, path: str) -> None:
    """The session serves every version."""
    config = ConnectionConfig.from_settings({"login_url": url, **USER, "api_version": api_version})

    assert SalesforceClient(config).instance_url == url
    assert org.requests == [("POST", f"/services/Soap/u/{path}")]


def test_a_soap_login_is_one_to_whoever_reads_its_headers(url: str, sent: list[requests.PreparedRequest]) -> None:
    """Salesforce answers 415 and 500 without them."""
    log_in(url, **USER).close()

    assert sent[0].headers["Content-Type"] == "text/xml; charset=UTF-8"
    assert sent[0].headers["SOAPAction"] == "login"


def test_a_login_asks_for_json(url: str, sent: list[requests.PreparedRequest]) -> None:
    """Salesforce has three forms of the answer."""
    log_in(url, client_id="sim-client", client_secret="sim-secret").close()

    assert sent[0].headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "fault", [Fault.html(503), Fault.reset_before(), Fault.reset_after()], ids=["503", "not sent", "answer lost"]
)
@pytest.mark.parametrize("settings", [USER, {"client_id": "sim-client", "client_secret": "sim-secret"}])
def test_a_login_that_fails_for_a_moment_is_tried_again(
    org: Org, url: str, settings: dict[str, str], fault: Fault
) -> None:
    """One session too many harms nobody."""
    org.faults.add("login", fault)

    log_in(url, **settings).close()

    assert len(org.faults.completed) == 1


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("invalid_client_id", "client identifier invalid", "check client_id"),
        ("invalid_client", "invalid client credentials", "check client_secret"),
        ("invalid_grant", "no client credentials user enabled", "name a Run As user in the app's policies"),
        ("invalid_grant", "request not supported on this domain", "set domain to your My Domain host"),
        ("invalid_grant", "expired access/refresh token", "authorize the app again"),
        ("invalid_grant", "audience is invalid", "set is_sandbox or domain to the org's kind"),
        ("invalid_app_access", "user is not admin approved to access this app", "pre-authorize the user for the app"),
        ("invalid_grant", "authentication failure", "check the credentials, and that the app and the user may use"),
    ],
)
def test_a_refused_login_says_what_to_do(org: Org, url: str, code: str, message: str, advice: str) -> None:
    """Beside Salesforce's own words, which seldom say it."""
    org.faults.add("login", Fault.status(400, json={"error": code, "error_description": message}))

    with pytest.raises(LoginError, match=rf"was refused: {code} {message} \(.*{advice}"):
        log_in(url, client_id="sim-client", client_secret="sim-secret")
    assert org.faults.completed


def test_a_session_made_elsewhere_serves(org: Org, url: str, client: SalesforceClient) -> None:
    """An access token and its instance URL need no login at all."""
    token = client._authenticator.session().access_token
    org.requests.clear()

    log_in(url, access_token=token, instance_url=url).close()

    assert logins(org) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"client_secret": "wrong", "refresh_token": "sim-refresh"}, "was refused: invalid_client"),
        ({"client_secret": "sim-secret", "refresh_token": "wrong"}, "authorize the app again"),
        ({"client_secret": "sim-secret", **USER, "password": "wrong"}, "check the credentials"),
    ],
)
def test_a_refused_login_says_why_and_is_not_repeated(
    org: Org, url: str, settings: dict[str, str], message: str
) -> None:
    """One refusal is enough: more of them lock a user out."""
    with pytest.raises(LoginError, match=message) as caught:
        log_in(url, client_id="sim-client", **settings)

    assert logins(org) == 1
    assert "wrong" not in str(caught.value)


def test_a_refused_soap_login_names_the_end_of_soap(org: Org, url: str) -> None:
    """SOAP login answers 500 to a wrong password: no passing error."""
    with pytest.raises(LoginError, match=r"check username, password and security_token.*ends with API 64\.0"):
        log_in(url, **{**USER, "password": "wrong"})

    assert logins(org) == 1


def test_a_dead_token_is_renewed_and_the_request_repeated(org: Org, client: SalesforceClient) -> None:
    """A token that dies in the middle of a run costs one login, and nobody notices."""
    client.limits()
    org.faults.add("limits", Fault.unauthorized())

    client.limits()

    assert len(org.faults.completed) == 1
    assert logins(org) == 2


def test_a_session_that_another_thread_has_renewed_is_not_renewed_again(org: Org, client: SalesforceClient) -> None:
    """Whoever finds the old one dead later gets the new one, or rotation would kill that."""
    expired = client._authenticator.session()
    renewed = client._authenticator.renew(expired)

    assert client._authenticator.renew(expired) is renewed
    assert renewed.access_token != expired.access_token
    assert logins(org) == 2


def test_threads_that_find_a_token_dead_renew_it_once(org: Org, client: SalesforceClient) -> None:
    """Salesforce refuses the same refresh token used by several at once."""
    client.limits()
    org.faults.add("limits", Fault.unauthorized())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.limits(), range(8)))

    assert len(answers) == 8
    assert len(org.faults.completed) == 1
    assert logins(org) == 2


def test_a_401_by_policy_never_loops(org: Org, client: SalesforceClient) -> None:
    """A session that is not valid for this API stays so, however often one logs in."""
    client.limits()
    org.faults.add(
        "limits",
        Fault.status(
            401,
            json={
                "errorCode": "INVALID_SESSION_ID",
                "message": "This session is not valid for use with the REST API",
            },
        ),
    )

    with pytest.raises(RequestRefused, match="not valid for use with the REST API"):
        client.limits()

    assert len(org.faults.completed) == 1
    assert logins(org) == 1


def test_a_new_session_that_is_refused_too_ends_it(org: Org, client: SalesforceClient) -> None:
    """A second 401 right after a login is no matter of time."""
    client.limits()
    org.faults.add("limits", Fault.unauthorized(), times=2)

    with pytest.raises(LoginError, match="a new session is refused as well"):
        client.limits()

    assert len(org.faults.completed) == 2


def test_a_given_access_token_that_dies_says_so(org: Org, url: str, client: SalesforceClient) -> None:
    """Nothing can renew it."""
    token = client._authenticator.session().access_token
    with log_in(url, access_token=token, instance_url=url) as given:
        org.faults.add("limits", Fault.unauthorized())

        with pytest.raises(LoginError, match="give a new one"):
            given.limits()


def test_a_rotated_refresh_token_is_kept(tmp_path: Path) -> None:
    """With rotation each login gives a new refresh token and kills the old one."""
    kept = tmp_path / "token.json"
    settings = {"client_id": "sim-client", "client_secret": "sim-secret", "token_file": str(kept)}
    with running(Org(rotate_refresh_tokens=True)) as url:
        log_in(url, **settings, refresh_token="sim-refresh").close()
        first = json.loads(kept.read_text())["refresh_token"]
        log_in(url, **settings, refresh_token="sim-refresh").close()
        second = json.loads(kept.read_text())["refresh_token"]
        log_in(url, **settings).close()

    assert len({"sim-refresh", first, second}) == 3
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_new_refresh_token_in_the_settings_wins_over_the_kept_one(tmp_path: Path) -> None:
    """Who authorizes the app anew need not know of the file."""
    kept = tmp_path / "token.json"
    kept.write_text(json.dumps({"refresh_token": "dead", "configured_sha256": "of another token"}))
    settings = {"client_id": "sim-client", "client_secret": "sim-secret", "token_file": str(kept)}

    with running(Org()) as url:
        log_in(url, **settings, refresh_token="sim-refresh").close()


def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that nobody vouches for gets no credentials; a private authority is named as for any requests user."""
    certificate = make_certificate(tmp_path)
    app = {"client_id": "sim-client", "client_secret": "sim-secret", "refresh_token": "sim-refresh"}
    org = Org()
    with running(org, certificate=certificate) as url:
        config = ConnectionConfig.from_settings({"login_url": url, **app, "retry_total_s": 0.5})
        with pytest.raises(ConnectionFailed, match=r"\(TLS: .*certificate"):
            SalesforceClient(config).limits()
        assert logins(org) == 0

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.authority))
        log_in(url, **app).close()
    assert logins(org) == 1


def test_a_first_login_gives_up_soon(org: Org, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong host is likelier than an outage; ``retry_total_s`` is for what comes later."""
    monkeypatch.setattr(auth, "FIRST_LOGIN_TOTAL_S", 0.4)
    org.faults.add("login", Fault.status(503), times=100)
    settings = {"login_url": url, "client_id": "sim-client", "client_secret": "sim-secret", "retry_total_s": 600}
    client = SalesforceClient(ConnectionConfig.from_settings(settings))

    with pytest.raises(ServerBusy):
        client.limits()

    assert len(org.faults.completed) in {1, 2}


@pytest.mark.parametrize(
    "fault",
    [
        Fault.html(503),
        Fault.html(500),
        Fault.status(500),
        Fault.status(503, json=[{"errorCode": "SERVICE_UNAVAILABLE", "message": "try later"}]),
    ],
    ids=["503", "500", "empty", "503 in JSON"],
)
def test_a_gateway_at_a_soap_login_is_not_a_wrong_password(org: Org, url: str, fault: Fault) -> None:
    """Only a SOAP fault refuses; a page of a gateway's passes."""
    org.faults.add("login", fault)

    log_in(url, **USER).close()

    assert org.faults.completed
    assert logins(org) == 2


def soap_fault(code: str, message: str) -> Fault:
    """A refusal as SOAP gives it."""
    body = (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Fault.status(500, body=body, headers={"Content-Type": "text/xml"})


def test_a_soap_fault_that_passes_is_asked_again(org: Org, url: str) -> None:
    """A server that is unavailable says nothing about the password."""
    org.faults.add("login", soap_fault("SERVER_UNAVAILABLE", "try later"))

    log_in(url, **USER).close()

    assert org.faults.completed
    assert logins(org) == 2


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (USER, soap_fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")),
        ({"client_id": "sim-client", "client_secret": "sim-secret"}, Fault.request_limit_total()),
    ],
    ids=["soap", "oauth"],
)
def test_a_used_up_quota_at_login_is_no_wrong_password(
    org: Org, url: str, settings: dict[str, str], fault: Fault
) -> None:
    """The run can go on later, and its exit code says so."""
    org.faults.add("login", fault)

    with pytest.raises(QuotaExceeded, match=r"TotalRequests Limit exceeded\."):
        log_in(url, **settings)
    assert len(org.faults.completed) == logins(org) == 1


def test_a_soap_password_may_hold_any_character(org: Org, url: str) -> None:
    """What means something in XML is escaped."""
    org.password = "<&\"'>&amp;]]>ü"

    log_in(url, **{**USER, "password": org.password}).close()

    assert logins(org) == 1


@pytest.mark.parametrize("settings", [USER, {"client_id": "sim-client", "client_secret": "sim-secret"}])
def test_a_login_host_that_redirects_is_not_followed(org: Org, url: str, settings: dict[str, str]) -> None:
    """Credentials go only to the host that was configured; the other one is named, and the setting."""
    elsewhere = Fault.status(
        302, headers={"Location": f"{url.replace('127.0.0.1', 'localhost')}/services/oauth2/token"}
    )
    org.faults.add("login", elsewhere)

    words = "redirects to localhost, which is not followed: set domain, or the login_url .* present host$"
    with pytest.raises(LoginError, match=words):
        log_in(url, **settings)
    assert len(org.faults.completed) == logins(org) == 1


def test_a_lightning_host_is_no_login_host() -> None:
    """The address in the browser's bar; the right one is named."""
    with pytest.raises(ConfigError, match=r"serves pages and no API: set it to acme\.my\.salesforce\.com"):
        ConnectionConfig.from_settings({"domain": "acme.lightning.force.com", "client_id": "k", "refresh_token": "r"})
