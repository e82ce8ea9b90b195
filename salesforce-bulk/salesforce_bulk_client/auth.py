"""Logging in: the six flows, and the one session that all threads share."""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.config import AuthFlow, ConnectionConfig, checked_url
from salesforce_bulk_client.errors import ApiError, BrokenAnswer, ConfigError, LoginError, QuotaError, ServerBusy
from salesforce_bulk_client.http import read_json, send_once
from salesforce_bulk_client.instruments import TOKEN_REFRESHES
from salesforce_bulk_client.limits import JWT_LIFETIME_S, LAST_SOAP_LOGIN_VERSION
from salesforce_bulk_client.retries import RetryPolicy, with_retries
from salesforce_bulk_client.token_file import RefreshToken

if TYPE_CHECKING:
    import requests

logger = logging.getLogger(__name__)

FIRST_LOGIN_TOTAL_S = 20.0
"""A first login gives up early: a wrong host is likelier than an outage. Later ones have ``retry_total_s``."""


PASSING_FAULTS = frozenset({"SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "INTERNAL_SERVER_ERROR"})
"""SOAP faults all come with status 500; the others are refusals, and one of them is enough."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a login gives: the token that each request carries, and the host that they go to."""

    access_token: str = field(repr=False)
    instance_url: str
    org_id: str = ""
    """As far as the login tells it; the first 15 characters."""


def org_id_in(text: object) -> str:
    """Return the org id that a text holds, its first 15 characters; empty when there is none.

    A text is an id, an identity URL, or an access token, which begins with the org's id.

    >>> org_id_in("https://login.salesforce.com/id/00D5g000008kGHiEAM/0055g00000ABCDEAA2")
    '00D5g000008kGHi'
    >>> org_id_in("00D5g000008kGHi!AQ4AQ.ab"), org_id_in("6Cel800DR000000mQGZ888R000000ZjD!x"), org_id_in(None)
    ('00D5g000008kGHi', '', '')
    """
    match = re.match(r"(?:https?://[^/]+/id/)?(00D[A-Za-z0-9]{12})(?:[A-Za-z0-9]{3})?(?:[/!]|$)", str(text or ""))
    return match[1] if match else ""


class Authenticator:
    """Holds the one session of a client; safe to use from several threads.

    A session that several threads find expired is renewed once: each names the session it had, and
    all but the first get the one that the first has made.
    """

    def __init__(self, config: ConnectionConfig, *, http: requests.Session) -> None:
        self._config = config
        self._http = http
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._refresh_token = RefreshToken(configured=config.refresh_token, path=config.token_file)

    def session(self) -> Session:
        """Return the session, logging in first if there is none."""
        with self._lock:
            if self._session is None:
                total_s = min(FIRST_LOGIN_TOTAL_S, self._config.retry_total_s)
                self._session = self._log_in(total_s)
            return self._session

    def renew(self, expired: Session) -> Session:
        """Return a session newer than ``expired``.

        Raises: LoginError if there is no way to get one.
        """
        with self._lock:
            if self._session is expired or self._session is None:
                flow = self._config.auth_flow
                if flow is AuthFlow.ACCESS_TOKEN:
                    telemetry.note(TOKEN_REFRESHES, 1, flow=flow.value, result="failed")
                    raise LoginError(
                        "the given access_token is not valid any more: give a new one,"
                        " or use a login flow that can renew its session"
                    )
                logger.info("the session has expired: logging in again", extra={"flow": flow.value})
                self._session = self._log_in(self._config.retry_total_s)
            return self._session

    def _log_in(self, total_s: float) -> Session:
        flow = self._config.auth_flow.value
        result = "failed"
        try:
            with telemetry.span("salesforce.bulk.login", flow=flow):
                session = self._new_session(total_s)
            result = "ok"
            return session
        finally:
            telemetry.note(TOKEN_REFRESHES, 1, flow=flow, result=result)

    def _new_session(self, total_s: float) -> Session:
        config = self._config
        flow = config.auth_flow
        try:
            if flow is AuthFlow.ACCESS_TOKEN:
                return Session(
                    access_token=config.access_token,
                    instance_url=config.instance_url,
                    org_id=org_id_in(config.access_token),
                )
            if flow is AuthFlow.SOAP:
                return self._soap_login(total_s)
            if flow is AuthFlow.REFRESH_TOKEN:
                return self._refresh(total_s)
            return self._session_from(self._ask_token(self._grant(), total_s))
        except ServerBusy as error:
            if error.status != 404:
                raise
            raise LoginError(
                f"{config.login_url} answers 404 to a login, and not as Salesforce does: it is not a login host of"
                " Salesforce's (check domain, or login_url where that is set)"
            ) from error
        except QuotaError:
            raise
        except ApiError as error:
            if 300 <= error.status < 400:
                raise LoginError(f"login by {flow.value} at {config.login_url} was refused: {error.message}") from error
            raise LoginError(
                f"login by {flow.value} at {config.login_url} was refused: {error.code} {error.message}{_advice(error)}"
            ) from error

    def _grant(self) -> dict[str, str]:
        config = self._config
        match config.auth_flow:
            case AuthFlow.CLIENT_CREDENTIALS:
                return {"grant_type": "client_credentials"}
            case AuthFlow.PASSWORD:
                return {"grant_type": "password", "username": config.username, "password": config.password}
            case AuthFlow.JWT_BEARER:
                return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": self._assertion()}
            case _:
                raise ConfigError(f"{config.auth_flow.value} is no OAuth grant")

    def _assertion(self) -> str:
        import jwt  # with cryptography it takes 30 ms, and one flow needs it

        claims = {
            "iss": self._config.client_id,
            "sub": self._config.username,
            "aud": self._config.jwt_audience,
            "exp": int(time.time()) + JWT_LIFETIME_S,
        }
        try:
            return jwt.encode(claims, self._config.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):
            raise ConfigError("private_key is no RSA key in PEM form") from None

    def _ask_token(self, form: dict[str, str], total_s: float) -> dict[str, Any]:
        config = self._config
        if config.client_id:
            form["client_id"] = config.client_id
        if config.client_secret and config.auth_flow is not AuthFlow.JWT_BEARER:
            form["client_secret"] = config.client_secret
        body = urlencode(form).encode()

        def post() -> dict[str, Any]:
            answer = send_once(
                self._http,
                "POST",
                f"{config.login_url}/services/oauth2/token",
                body=body,
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                timeout_s=config.request_timeout_s,
                read=read_json,
            )
            if not isinstance(answer, dict) or not (answer.get("access_token") and answer.get("instance_url")):
                raise BrokenAnswer(f"the login at {config.login_url} answered without an access token")
            return answer

        return with_retries(RetryPolicy(total_s=total_s), post, is_repeatable=True)

    def _refresh(self, total_s: float) -> Session:
        """Log in by refresh token; a rotated one is kept before the new session is used."""
        with self._refresh_token.turn(wait_s=self._config.retry_total_s) as token:
            answer = self._ask_token({"grant_type": "refresh_token", "refresh_token": token}, total_s)
            self._refresh_token.keep(str(answer.get("refresh_token") or token))
        return self._session_from(answer)

    def _soap_login(self, total_s: float) -> Session:
        """Log in by SOAP, which ends with API 64.0; the session it gives serves every version."""
        config = self._config
        envelope = (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:urn="urn:partner.soap.sforce.com"><soapenv:Body><urn:login>'
            f"<urn:username>{escape(config.username)}</urn:username>"
            f"<urn:password>{escape(config.password)}</urn:password>"
            "</urn:login></soapenv:Body></soapenv:Envelope>"
        ).encode()
        version = min(config.api_version, LAST_SOAP_LOGIN_VERSION, key=float)

        def post() -> bytes:
            try:
                return send_once(
                    self._http,
                    "POST",
                    f"{config.login_url}/services/Soap/u/{version}",
                    body=envelope,
                    headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"},
                    timeout_s=config.request_timeout_s,
                    read=lambda response: response.content,
                )
            except ServerBusy as error:
                if error.status == 500 and error.code not in {"", *PASSING_FAULTS}:
                    raise LoginError(
                        f"SOAP login of {config.username} at {config.login_url} was refused ({error.code}):"
                        " check username, password and security_token, and that the org allows SOAP login"
                        f" (it ends with API {LAST_SOAP_LOGIN_VERSION}; an External Client App is the lasting way)"
                    ) from error
                raise

        fields = _elements(with_retries(RetryPolicy(total_s=total_s), post, is_repeatable=True))
        if not fields.get("sessionId") or not fields.get("serverUrl"):
            raise LoginError(f"SOAP login at {config.login_url} answered without a session")
        server = urlsplit(fields["serverUrl"])
        url = f"{server.scheme}://{server.netloc.replace('-api.', '.', 1)}"
        return Session(
            access_token=fields["sessionId"],
            instance_url=checked_url("the instance URL", url),
            org_id=org_id_in(fields.get("organizationId")) or org_id_in(fields["sessionId"]),
        )

    def _session_from(self, answer: dict[str, Any]) -> Session:
        return Session(
            access_token=str(answer["access_token"]),
            instance_url=checked_url("the instance URL that the login answered", str(answer["instance_url"])),
            org_id=org_id_in(answer.get("id")) or org_id_in(answer["access_token"]),
        )


def _advice(error: ApiError) -> str:
    if error.code == "invalid_client_id":
        return " (check client_id)"
    if error.code == "invalid_client":
        return " (check client_secret)"
    if "no client credentials user" in error.message:
        return " (name a Run As user in the app's policies)"
    if "not supported on this domain" in error.message:
        return " (set domain to your My Domain host)"
    if "expired access/refresh token" in error.message:
        return " (the refresh token is revoked, expired or rotated away: authorize the app again)"
    if "audience is invalid" in error.message.lower():
        return " (set is_sandbox or domain to the org's kind)"
    if "approved" in error.message:
        return " (pre-authorize the user for the app)"
    return " (check the credentials, and that the app and the user may use this flow)"


def _elements(xml: bytes) -> dict[str, str]:
    """Return the texts of an XML answer by element name, without namespaces."""
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314  # from the login host, over TLS
    except ElementTree.ParseError:
        return {}
    return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}
