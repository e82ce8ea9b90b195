"""The connection settings of both plugins: their schema, and their one validated form.

``CONNECTION_PROPERTIES`` is plain JSON Schema, so that each plugin can merge it into its own settings
without the client knowing of Singer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from salesforce_bulk_client.errors import ConfigError
from salesforce_bulk_client.limits import DEFAULT_API_VERSION, FIRST_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet


def _setting(kind: str, description: str, *, default: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "type": [kind, "null"],
        "description": description,
        **({} if default is None else {"default": default}),
        **more,
    }


def _secret(description: str) -> dict[str, Any]:
    return _setting("string", description, secret=True, writeOnly=True)


class AuthFlow(Enum):
    """The ways to log in; each value is what ``auth_flow`` takes."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    CLIENT_CREDENTIALS = "client_credentials"
    JWT_BEARER = "jwt_bearer"
    PASSWORD = "password"  # noqa: S105
    SOAP = "soap"
    ACCESS_TOKEN = "access_token"  # noqa: S105


CONNECTION_PROPERTIES: Final[Mapping[str, dict[str, Any]]] = {
    "domain": _setting(
        "string", "`login`, `test`, or a My Domain host such as `acme.my.salesforce.com`", default="login"
    ),
    "is_sandbox": _setting("boolean", "Shorthand for `domain: test`", default=False),
    "login_url": _setting("string", "The whole URL of the token host, over `domain`; plain http only for loopback"),
    "client_id": _setting("string", "Consumer key of the Connected App or External Client App"),
    "client_secret": _secret("Consumer secret of the app"),
    "refresh_token": _secret("For the OAuth refresh token flow"),
    "username": _setting("string", "For the JWT bearer, password and SOAP flows"),
    "password": _secret("For the OAuth password flow (with a client id) or SOAP login (without)"),
    "security_token": _secret("Appended to the password, unless the address is trusted"),
    "private_key": _secret("PEM text of the key for the JWT bearer flow"),
    "private_key_file": _setting("string", "Path of the PEM file for the JWT bearer flow"),
    "access_token": _secret("A session made elsewhere (`sf org auth show-access-token`); goes with `instance_url`"),
    "instance_url": _setting("string", "The org's URL for `access_token`"),
    "auth_flow": _setting(
        "string",
        "How to log in; inferred from the settings that are given",
        enum=[*(flow.value for flow in AuthFlow), None],
    ),
    "token_file": _setting("string", "Path where a rotated refresh token is kept, and read from at start"),
    "api_version": _setting("string", "One API version for the whole run", default=DEFAULT_API_VERSION),
    "request_timeout_s": _setting("number", "Seconds without an answer before one request is given up", default=120),
    "retry_total_s": _setting("number", "Seconds for all tries of one request together", default=600),
    "quota_percent_total": _setting(
        "number", "Stop, resumable, before the org's daily API use passes this share", default=80
    ),
    "quota_percent_per_run": _setting(
        "number", "Stop, resumable, before this run has used this share of the org's daily API allocation", default=25
    ),
}

NEEDED: Final[Mapping[AuthFlow, tuple[str, ...]]] = {
    AuthFlow.REFRESH_TOKEN: ("client_id", "refresh_token"),
    AuthFlow.CLIENT_CREDENTIALS: ("client_id", "client_secret"),
    AuthFlow.JWT_BEARER: ("client_id", "username", "private_key"),
    AuthFlow.PASSWORD: ("client_id", "username", "password"),
    AuthFlow.SOAP: ("username", "password"),
    AuthFlow.ACCESS_TOKEN: ("access_token", "instance_url"),
}

_LOGIN_HOSTS: Final[Mapping[str, str]] = {"login": "login.salesforce.com", "test": "test.salesforce.com"}
PAGE_HOSTS = (".lightning.force.com", ".my.salesforce-setup.com")
"""Of Lightning Experience and of Setup (Salesforce Help, "My Domain URL Formats")."""

_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, kw_only=True)
class ConnectionConfig:
    """The connection settings, checked; made by `from_settings`."""

    auth_flow: AuthFlow
    login_url: str
    """Scheme and host of the token endpoint, without a slash at its end."""
    jwt_audience: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    """Password and security token together, as Salesforce wants them."""
    private_key: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    instance_url: str = ""
    token_file: Path | None = None
    api_version: str = DEFAULT_API_VERSION
    request_timeout_s: float = 120.0
    retry_total_s: float = 600.0
    quota_percent_total: float = 80.0
    quota_percent_per_run: float = 25.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ConnectionConfig:
        """Return the checked settings; settings that are none of ours are ignored.

        Raises: ConfigError, naming the setting and what to do.
        """
        given = {name: settings[name] for name in CONNECTION_PROPERTIES if settings.get(name) not in (None, "")}
        texts = {name: str(value) for name, value in given.items()}
        if "private_key_file" in texts:
            texts["private_key"] = _read_key(Path(texts["private_key_file"]).expanduser())
        token_file = Path(texts["token_file"]).expanduser() if "token_file" in texts else None
        has_kept_token = token_file is not None and token_file.exists()

        is_sandbox = str(given.get("is_sandbox", False)).lower() == "true"
        login_url = _login_url(texts, is_sandbox=is_sandbox)
        known = texts.keys() | ({"refresh_token"} if has_kept_token else set())
        flow = _auth_flow(texts.get("auth_flow"), known=known)
        _check_flow(flow, known=known, login_url=login_url)
        return cls(
            auth_flow=flow,
            login_url=login_url,
            jwt_audience=_jwt_audience(login_url, is_sandbox=is_sandbox),
            client_id=texts.get("client_id", ""),
            client_secret=texts.get("client_secret", ""),
            refresh_token=texts.get("refresh_token", ""),
            username=texts.get("username", ""),
            password=texts.get("password", "") + texts.get("security_token", ""),
            private_key=texts.get("private_key", ""),
            access_token=texts.get("access_token", ""),
            instance_url=checked_url("instance_url", texts["instance_url"]) if "instance_url" in texts else "",
            token_file=token_file,
            api_version=_api_version(texts.get("api_version", DEFAULT_API_VERSION)),
            request_timeout_s=_positive(given, "request_timeout_s"),
            retry_total_s=_positive(given, "retry_total_s"),
            quota_percent_total=_positive(given, "quota_percent_total"),
            quota_percent_per_run=_positive(given, "quota_percent_per_run"),
        )


def checked_url(name: str, url: str) -> str:
    """Return ``url`` without a slash at its end.

    Raises: ConfigError if it is not the URL of a host, or plain http to anything but this machine's loopback address.
    """
    _refuse_credentials(name, url)
    try:
        parts = urlsplit(url)
        is_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is not a number, an IPv6 address without its end
        is_host = False
    if not is_host or parts.scheme not in {"http", "https"} or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError(f"{name} is {url!r}, but must be like https://acme.my.salesforce.com, without a path")
    assert parts.hostname
    _refuse_pages(name, parts.hostname, address=url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigError(f"{name} is {url!r}: plain http is only for loopback addresses; use https")
    return url.rstrip("/")


def _refuse_credentials(name: str, address: str) -> None:
    """Refuse ``user:password@host``: an address goes to logs. The error does not print it.

    Raises: ConfigError.
    """
    if "@" in address:
        raise ConfigError(f"{name} must not hold credentials (user:password@host): leave out what is before the @")


def _refuse_pages(name: str, host: str, *, address: str) -> None:
    """Refuse the hosts that a browser shows: they serve pages and no API.

    Raises: ConfigError, with the host to use instead.
    """
    for suffix in PAGE_HOSTS:
        if host.lower().endswith(suffix):
            there = address.lower().replace(suffix, ".my.salesforce.com")
            raise ConfigError(f"{name} is {address!r}, which serves pages and no API: set it to {there}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _login_url(given: Mapping[str, str], *, is_sandbox: bool) -> str:
    if "login_url" in given:
        return checked_url("login_url", given["login_url"])
    domain = given.get("domain", "login")
    _refuse_credentials("domain", domain)
    if is_sandbox and domain == "login":
        domain = "test"
    host = _LOGIN_HOSTS.get(domain, domain)
    _refuse_pages("domain", host, address=domain)
    if not _HOST.fullmatch(host) or host.endswith(".my"):
        raise ConfigError(
            f"domain is {domain!r}, but must be `login`, `test`, or a whole host such as acme.my.salesforce.com"
            " (for a whole URL use login_url)"
        )
    return f"https://{host}"


def _jwt_audience(login_url: str, *, is_sandbox: bool) -> str:
    host = urlsplit(login_url).hostname or ""
    test = is_sandbox or host == _LOGIN_HOSTS["test"] or ".sandbox." in host
    return f"https://{_LOGIN_HOSTS['test' if test else 'login']}"


def _auth_flow(chosen: str | None, *, known: AbstractSet[str]) -> AuthFlow:
    """Return the flow that is chosen, or the only one that the ``known`` settings allow."""
    if chosen:
        try:
            return AuthFlow(chosen)
        except ValueError:
            names = ", ".join(flow.value for flow in AuthFlow)
            raise ConfigError(f"auth_flow is {chosen!r}, but must be one of {names}") from None
    possible = [
        flow
        for flow, mark in (
            (AuthFlow.ACCESS_TOKEN, "access_token"),
            (AuthFlow.REFRESH_TOKEN, "refresh_token"),
            (AuthFlow.JWT_BEARER, "private_key"),
            (AuthFlow.PASSWORD if "client_id" in known else AuthFlow.SOAP, "password"),
        )
        if mark in known
    ]
    if not possible and "client_secret" in known:
        possible = [AuthFlow.CLIENT_CREDENTIALS]
    if len(possible) == 1:
        return possible[0]
    if possible:
        names = " and ".join(flow.value for flow in possible)
        raise ConfigError(f"the settings fit several ways to log in ({names}): choose one by auth_flow")
    ways = "; ".join(f"{flow.value}: {', '.join(names)}" for flow, names in NEEDED.items())
    raise ConfigError(f"no way to log in: give the settings of one of these: {ways}")


def _check_flow(flow: AuthFlow, *, known: AbstractSet[str], login_url: str) -> None:
    missing = [name for name in NEEDED[flow] if name not in known]
    if missing:
        raise ConfigError(f"the login flow {flow.value} also needs {' and '.join(missing)}")
    host = urlsplit(login_url).hostname
    if flow is AuthFlow.CLIENT_CREDENTIALS and host in _LOGIN_HOSTS.values():
        raise ConfigError(
            f"the login flow client_credentials is not served by {host}:"
            " set domain to your My Domain host, such as acme.my.salesforce.com"
        )


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"private_key_file {str(path)!r} cannot be read: {error}") from None


def _api_version(text: str) -> str:
    if not re.fullmatch(r"\d+(\.0)?", text):
        raise ConfigError(f"api_version is {text!r}, but must be like {DEFAULT_API_VERSION}")
    if float(text) < FIRST_API_VERSION:
        raise ConfigError(f"api_version is {text}, but Bulk API 2.0 query jobs begin with {FIRST_API_VERSION}")
    return f"{float(text):.1f}"


def _positive(given: Mapping[str, Any], name: str) -> float:
    value = given.get(name, CONNECTION_PROPERTIES[name]["default"])
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise ConfigError(f"{name} is {value!r}, but must be a number above 0")
    return number
