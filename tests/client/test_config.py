"""Connection settings: what is inferred, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_client import AuthFlow, ConfigError, ConnectionConfig

APP = {"client_id": "key", "client_secret": "hidden"}
MY_DOMAIN = {"domain": "acme.my.salesforce.com"}


@pytest.mark.parametrize(
    ("settings", "flow"),
    [
        ({**APP, "refresh_token": "r"}, AuthFlow.REFRESH_TOKEN),
        ({**APP, **MY_DOMAIN}, AuthFlow.CLIENT_CREDENTIALS),
        ({"client_id": "key", "username": "u", "private_key": "pem"}, AuthFlow.JWT_BEARER),
        ({**APP, "username": "u", "password": "p"}, AuthFlow.PASSWORD),
        ({"username": "u", "password": "p"}, AuthFlow.SOAP),
        ({"access_token": "t", "instance_url": "https://acme.my.salesforce.com"}, AuthFlow.ACCESS_TOKEN),
    ],
)
def test_the_flow_is_inferred_from_the_settings(settings: dict[str, str], flow: AuthFlow) -> None:
    """Each flow has settings that no other flow needs."""
    assert ConnectionConfig.from_settings(settings).auth_flow is flow


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no way to log in: give the settings of one of these: refresh_token: client_id, refresh_token; "),
        ({"refresh_token": "r"}, "the login flow refresh_token also needs client_id"),
        (
            {**APP, "refresh_token": "r", "username": "u", "password": "p"},
            "the settings fit several ways to log in (refresh_token and password): choose one by auth_flow",
        ),
        ({**APP, "auth_flow": "magic"}, "auth_flow is 'magic', but must be one of refresh_token, client_credentials"),
        (APP, "client_credentials is not served by login.salesforce.com: set domain to your My Domain host"),
        ({"access_token": "t"}, "the login flow access_token also needs instance_url"),
        ({**APP, **MY_DOMAIN, "api_version": "latest"}, "api_version is 'latest', but must be like 66.0"),
        ({**APP, **MY_DOMAIN, "api_version": "46.0"}, "Bulk API 2.0 query jobs begin with 47.0"),
        ({**APP, **MY_DOMAIN, "request_timeout_s": 0}, "request_timeout_s is 0, but must be a number above 0"),
        ({**APP, "domain": "acme"}, "domain is 'acme', but must be `login`, `test`, or a whole host"),
        ({**APP, "domain": "https://acme.my.salesforce.com"}, "for a whole URL use login_url"),
        ({**APP, "login_url": "http://sim.example.com"}, "plain http is only for loopback addresses; use https"),
        ({**APP, "login_url": "acme.my.salesforce.com"}, "login_url is 'acme.my.salesforce.com', but must be like"),
        ({"access_token": "t", "instance_url": "http://10.0.0.1"}, "plain http is only for loopback addresses"),
        ({"client_id": "k", "username": "u", "private_key_file": "/no/such.pem"}, "'/no/such.pem' cannot be read"),
    ],
)
def test_wrong_settings_say_what_to_do(settings: dict[str, Any], message: str) -> None:
    """The message names the setting, and what it must be."""
    with pytest.raises(ConfigError) as caught:
        ConnectionConfig.from_settings(settings)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "https://somebody:hidden@acme.my.salesforce.com",
        "https://hidden@acme.my.salesforce.com",
        "somebody:hidden@acme.my.salesforce.com",
        "https://somebody:hid#den@acme.my.salesforce.com",
        "http://hidden:@127.0.0.1",
    ],
)
@pytest.mark.parametrize("name", ["login_url", "instance_url", "domain"])
def test_credentials_in_an_address_are_refused_and_not_printed(name: str, address: str) -> None:
    """An address goes to logs and to the server's."""
    with pytest.raises(ConfigError, match=f"^{name} must not hold credentials") as caught:
        ConnectionConfig.from_settings({"client_id": "k", "client_secret": "s", "refresh_token": "r", name: address})

    assert "hid" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://acme:port", "https://[::1", "https://acme.my.salesforce.com#part"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """No traceback, and nothing is tried for ten minutes."""
    with pytest.raises(ConfigError, match=r"^login_url is .*, but must be like https://acme\.my\.salesforce\.com"):
        ConnectionConfig.from_settings({**APP, "refresh_token": "r", "login_url": url})


@pytest.mark.parametrize(
    ("settings", "login_url", "audience"),
    [
        ({}, "https://login.salesforce.com", "https://login.salesforce.com"),
        ({"is_sandbox": True}, "https://test.salesforce.com", "https://test.salesforce.com"),
        ({"domain": "test"}, "https://test.salesforce.com", "https://test.salesforce.com"),
        (MY_DOMAIN, "https://acme.my.salesforce.com", "https://login.salesforce.com"),
        (
            {"domain": "acme--uat.sandbox.my.salesforce.com"},
            "https://acme--uat.sandbox.my.salesforce.com",
            "https://test.salesforce.com",
        ),
        ({"login_url": "http://127.0.0.1:8765/"}, "http://127.0.0.1:8765", "https://login.salesforce.com"),
    ],
)
def test_the_token_host(settings: dict[str, Any], login_url: str, audience: str) -> None:
    """A domain is never built from a sandbox flag when the user gave a whole host."""
    config = ConnectionConfig.from_settings({**settings, "client_id": "k", "refresh_token": "r"})

    assert (config.login_url, config.jwt_audience) == (login_url, audience)


def test_secrets_are_not_shown() -> None:
    """A config that ends up in a log or a traceback tells no secret."""
    config = ConnectionConfig.from_settings(
        {**APP, "refresh_token": "token-secret", "auth_flow": "refresh_token", "password": "pass-secret"}
    )

    assert "secret" not in repr(config).replace("client_secret", "")
    assert "hidden" not in repr(config)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    """`private_key_file` stands for the text of the file."""
    key = tmp_path / "key.pem"
    key.write_text("pem text")

    config = ConnectionConfig.from_settings({"client_id": "k", "username": "u", "private_key_file": str(key)})

    assert config.private_key == "pem text"
