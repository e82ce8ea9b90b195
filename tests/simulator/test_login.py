"""The token endpoint: what each grant takes, and the words in which it is refused."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salesforce_bulk_simulator import Clock, Org, running

from .api import REFRESH, Api

CLIENT = {"client_id": "sim-client", "client_secret": "sim-secret"}
USER = {"username": "sim@example.com", "password": "sim-passsim-token"}


def ask(url: str, **form: str) -> tuple[int, dict[str, Any]]:
    """Post to the token endpoint."""
    answer = requests.post(f"{url}/services/oauth2/token", data=form, timeout=30)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "form",
    [REFRESH, {"grant_type": "client_credentials", **CLIENT}, {"grant_type": "password", **CLIENT, **USER}],
    ids=lambda form: form["grant_type"],
)
def test_a_grant_gives_a_session(url: str, form: dict[str, str]) -> None:
    """The answer has Salesforce's keys; there is no expires_in, and no refresh token without rotation."""
    status, answer = ask(url, **form)

    assert status == 200
    assert set(answer) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    assert answer["instance_url"] == url
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert requests.get(f"{url}/services/data/v66.0/limits", headers=headers, timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({**REFRESH, "refresh_token": "old"}, "invalid_grant", "expired access/refresh token"),
        ({**REFRESH, "client_id": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({**REFRESH, "client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ({"grant_type": "password", **CLIENT, **USER, "password": "no"}, "invalid_grant", "authentication failure"),
        ({"grant_type": "magic"}, "unsupported_grant_type", "grant type not supported"),
    ],
    ids=["refresh token", "client id", "client secret", "password", "grant type"],
)
def test_a_refusal_is_an_oauth_error(url: str, form: dict[str, str], error: str, description: str) -> None:
    """The token endpoint answers an object, not REST's array."""
    assert ask(url, **form) == (400, {"error": error, "error_description": description})


def test_client_credentials_are_refused_on_the_login_hosts(url: str) -> None:
    """They must go to the My Domain host."""
    form = {"grant_type": "client_credentials", **CLIENT}

    answer = requests.post(
        f"{url}/services/oauth2/token", data=form, headers={"Host": "login.salesforce.com"}, timeout=30
    )

    assert answer.json()["error_description"] == "request not supported on this domain"


def test_a_rotated_refresh_token_is_good_once(url: str, org: Org) -> None:
    """The new token comes with the answer, and the old one is invalid at once."""
    org.sessions.rotates = True

    _, first = ask(url, **REFRESH)

    assert ask(url, **REFRESH)[1]["error_description"] == "expired access/refresh token"
    assert ask(url, **{**REFRESH, "refresh_token": first["refresh_token"]})[0] == 200


@pytest.mark.parametrize(
    ("changed", "description"),
    [
        ({}, None),
        ({"aud": "login.salesforce.com"}, None),
        ({"aud": "https://test.salesforce.com/"}, None),
        ({"aud": ["https://login.salesforce.com"]}, "audience is invalid"),
        ({"aud": "https://example.com"}, "audience is invalid"),
        ({"sub": "stranger@example.com"}, "user hasn't approved this consumer"),
        ({"iss": "nobody"}, "client identifier invalid"),
        ({"exp": 1}, "expired authorization code"),
    ],
    ids=["good", "no scheme", "slash", "list", "audience", "user", "client", "expired"],
)
def test_an_assertion_is_checked(url: str, org: Org, changed: dict[str, Any], description: str | None) -> None:
    """Signature, audience, subject, issuer and expiry of a JWT are all checked."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    org.trust_key(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    claims = {
        "iss": "sim-client",
        "sub": "sim@example.com",
        "aud": "https://login.salesforce.com",
        "exp": str(int(time.time()) + 180),
    }
    assertion = jwt.encode({**claims, **changed}, key, algorithm="RS256")

    _, answer = ask(url, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)

    assert answer.get("error_description") == description


def test_an_assertion_by_an_unknown_key_is_refused(url: str) -> None:
    """A signature counts only if its key is trusted."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    _, answer = ask(
        url,
        grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion=jwt.encode({"iss": "sim-client"}, key, algorithm="RS256"),
    )

    assert answer == {"error": "invalid_grant", "error_description": "invalid assertion"}


@pytest.mark.parametrize(
    ("version", "password", "status", "text"),
    [
        ("64.0", "sim-passsim-token", 200, "<sessionId>"),
        ("64.0", "wrong", 500, "INVALID_LOGIN: Invalid username, password, security token; or user locked out."),
        ("65.0", "sim-passsim-token", 500, "UNSUPPORTED_API_VERSION"),
    ],
)
def test_soap_login_ends_with_version_64(url: str, version: str, password: str, status: int, text: str) -> None:
    """SOAP login() is gone from version 65.0 on."""
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><e:Body>'
        f"<login><username>sim@example.com</username><password>{password}</password></login></e:Body></e:Envelope>"
    )

    answer = requests.post(f"{url}/services/Soap/u/{version}", data=body, headers={"SOAPAction": "login"}, timeout=30)

    assert answer.status_code == status
    assert text in answer.text


def introspect(url: str, *, auth: tuple[str, str] | None = None, **form: str) -> tuple[int, dict[str, Any]]:
    """Ask what a token is."""
    answer = requests.post(f"{url}/services/oauth2/introspect", data=form, auth=auth, timeout=30)
    return answer.status_code, answer.json()


def test_a_token_can_be_introspected() -> None:
    """Its scope and expiry; introspection does not extend it."""
    org = Org(clock=Clock(), token_life_s=900)
    with running(org) as url:
        api = Api(url)
        token = str(api.session.headers["Authorization"]).partition(" ")[2]
        org.clock.advance(600)
        status, state = introspect(url, token=token, token_type_hint="access_token", **CLIENT)
        by_header = introspect(url, token=token, auth=("sim-client", "sim-secret"))
        org.clock.advance(301)
        expired = introspect(url, token=token, **CLIENT)
        api.session.close()

    assert status == 200
    assert state == {
        "active": True,
        "scope": "api refresh_token",
        "client_id": "sim-client",
        "username": "sim@example.com",
        "sub": f"{url}/id/{org.org_id}/{org.user_id}",
        "token_type": "access_token",
        "exp": state["iat"] + 900,
        "iat": state["iat"],
        "nbf": state["iat"],
    }
    assert by_header == (200, state)
    assert expired == (200, {"active": False})


def test_a_refresh_token_can_be_introspected(url: str) -> None:
    """As long as it is good."""
    _, state = introspect(url, token="sim-refresh", **CLIENT)

    assert (state["active"], state["token_type"]) == (True, "refresh_token")
    assert introspect(url, token="other", **CLIENT) == (200, {"active": False})


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_client_id"),
        ({**CLIENT, "client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "sim-client"}, "invalid_client"),
    ],
    ids=["nobody", "wrong secret", "no secret"],
)
def test_only_the_client_may_introspect(url: str, form: dict[str, str], error: str) -> None:
    """401 for anybody else."""
    status, answer = introspect(url, token="sim-refresh", **form)

    assert (status, answer["error"]) == (401, error)


def test_a_session_ends_when_it_is_not_used() -> None:
    """Every use extends a session."""
    org = Org(clock=Clock(), token_life_s=900)
    with running(org) as url:
        api = Api(url)
        org.clock.advance(600)
        assert api("GET", "limits").status_code == 200
        org.clock.advance(600)
        assert api("GET", "limits").status_code == 200
        org.clock.advance(901)

        answer = api("GET", "limits")

    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    api.session.close()


def test_a_revoked_refresh_token_ends_its_sessions(url: str, api: Api) -> None:
    """Neither the token nor what was opened with it serves any more."""
    answer = requests.post(f"{url}/services/oauth2/revoke", data={"token": "sim-refresh"}, timeout=30)

    assert answer.status_code == 200
    assert api("GET", "limits").status_code == 401
    assert ask(url, **REFRESH)[0] == 400


def test_userinfo_shows_who_is_logged_in(api: Api, org: Org) -> None:
    """The identity URL ends in the org's and the user's id."""
    answer = api("GET", "/services/oauth2/userinfo").json()

    assert answer["preferred_username"] == "sim@example.com"
    assert answer["sub"].endswith(f"/id/{org.org_id}/{org.user_id}")
