"""`SalesforceClient`: one road for every request to an org.

``request`` → ``_with_session`` → ``send_once``: asked again for passing reasons, with a session that is renewed once
when it has expired, in one try that is logged.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.auth import Authenticator, Session, org_id_in
from salesforce_bulk_client.errors import (
    ApiError,
    BrokenAnswer,
    ConfigError,
    ConnectionFailed,
    LoginError,
    NotFound,
    QuotaReached,
    RequestRefused,
    SessionExpired,
)
from salesforce_bulk_client.http import Body, Reader, read_as, read_nothing, send_once
from salesforce_bulk_client.instruments import API_REQUESTS_LIMIT, API_REQUESTS_USED
from salesforce_bulk_client.retries import RetryPolicy, with_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from salesforce_bulk_client.config import ConnectionConfig

logger = logging.getLogger(__name__)

T = TypeVar("T")

VERSIONS = "/services/data"
"""The only address that costs none of the org's API requests (REST guide, "Limit Info Header")."""

LIMITS_AGE_S = 60
"""For so long the org's limits are taken to be what they were."""

_API_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
"""Searched, not matched: `per-app-api-usage` may follow."""


@dataclass(frozen=True, kw_only=True)
class ApiUsage:
    """The org's API requests of the last 24 hours, as of the last answer (header ``Sforce-Limit-Info``)."""

    used: int
    max: int


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One entry of the org's limits."""

    max: int
    remaining: int


def _as_it_is(answer: Any) -> Any:
    return answer


def _limits(answer: Any) -> dict[str, Limit]:
    return {
        name: Limit(max=int(limit["Max"]), remaining=int(limit["Remaining"]))
        for name, limit in answer.items()
        if {"Max", "Remaining"} <= limit.keys()
    }


class SalesforceClient:
    """Speaks to one org, in one API version; safe to use from several threads."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._config = config
        self._http = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_connections=4, pool_maxsize=32)
        self._http.mount("https://", adapter)
        self._http.mount("http://", adapter)
        self._authenticator = Authenticator(config, http=self._http)
        self._retry_policy = RetryPolicy(total_s=config.retry_total_s)
        self._count_lock = threading.Lock()
        self._requests_sent = 0
        self._usage: ApiUsage | None = None
        self._limits: tuple[dict[str, Limit], float] | None = None
        self._server_time: tuple[datetime, float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the session is left to expire."""
        self._http.close()

    @property
    def api_version(self) -> str:
        """The version of every request, such as ``66.0``."""
        return self._config.api_version

    @property
    def instance_url(self) -> str:
        """The org's host, as the login answered it; logs in when that has not been done yet."""
        return self._authenticator.session().instance_url

    @cached_property
    def org_id(self) -> str:
        """What tells the org from all others, whatever its address: the first 15 characters of its id.

        Mostly the login tells it; else it costs one or two API requests. Where nothing tells it, this is the
        org's host. Logs in when that has not been done yet.

        Raises: ConnectionFailed, LoginError, QuotaError, as any request; never for an answer of another form.
        """
        session = self._authenticator.session()
        org_id = session.org_id or self._asked_org_id()
        if org_id:
            return org_id
        host = urlsplit(session.instance_url).netloc
        logger.info("the org does not give its id, so it is known by its host, %s", host)
        return host

    def _asked_org_id(self) -> str:
        """Return the org's id as the version's root gives it, or its own record; empty when neither does."""
        odd = (RequestRefused, NotFound, BrokenAnswer, LookupError, TypeError)
        with suppress(*odd):
            root = self.get_json(f"/services/data/v{self.api_version}/")
            if org_id := org_id_in(root["identity"]):
                return org_id
        with suppress(*odd):
            answer = self.get_json("query", params={"q": "SELECT Id FROM Organization"})
            return org_id_in(answer["records"][0]["Id"])
        return ""

    def get_json(self, path: str, *, params: dict[str, Any] | None = None) -> Any:
        """Return the JSON at ``path``: relative to the version's root (``limits``), or absolute."""
        return self.get_as(_as_it_is, path, params=params)

    def get_as(self, form: Callable[[Any], T], path: str, *, params: dict[str, Any] | None = None) -> T:
        """Return what ``form`` makes of the JSON at ``path``; JSON that it cannot use is a broken answer."""
        return self.request("GET", path, params=params, headers={"Accept": "application/json"}, read=read_as(form))

    def send_json(self, method: str, path: str, body: Any, *, is_repeatable: bool = True) -> Any:
        """Send ``body`` as JSON and return the JSON answered, or None for an empty answer.

        With ``is_repeatable=False`` it is never sent again when an earlier try may have been carried out.
        """
        return self.send_as(_as_it_is, method, path, body, is_repeatable=is_repeatable)

    def send_as(self, form: Callable[[Any], T], method: str, path: str, body: Any, *, is_repeatable: bool = True) -> T:
        """Do the same, and return what ``form`` makes of the JSON; JSON that it cannot use is a broken answer."""
        return self.request(
            method,
            path,
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json; charset=UTF-8", "Accept": "application/json"},
            is_repeatable=is_repeatable,
            read=read_as(form),
        )

    def delete(self, path: str) -> None:
        """Delete what is at ``path``."""
        self.request("DELETE", path, read=read_nothing)

    def request(
        self,
        method: str,
        path: str,
        *,
        read: Reader[T],
        params: dict[str, Any] | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
    ) -> T:
        """Return what ``read`` makes of the answer; tried again for passing reasons.

        Raises: ConnectionFailed, ApiError, LoginError.
        """

        def one_try(session: Session) -> T:
            return send_once(
                self._http,
                method,
                self._url(session, path),
                read=read,
                timeout_s=self._config.request_timeout_s,
                token=session.access_token,
                params=params,
                body=body,
                headers=headers,
                see=self._see,
            )

        self._authenticator.session()  # a first login gives up sooner than a request does
        try:
            return with_retries(self._retry_policy, lambda: self._with_session(one_try), is_repeatable=is_repeatable)
        except (NotFound, RequestRefused) as error:
            if path != VERSIONS and (error.status == 404 or error.code == "UNSUPPORTED_API_VERSION"):
                with suppress(ApiError, ConnectionFailed):
                    self.check_version()  # an org without the version answers 404 to everything
            raise

    @cached_property
    def versions(self) -> list[str]:
        """The API versions that the org offers, oldest first; asking costs none of its API requests."""
        return self.get_as(lambda answer: [str(entry["version"]) for entry in answer], VERSIONS)

    def check_version(self) -> None:
        """Check that the org offers ``api_version``.

        Raises: ConfigError.
        """
        if self.api_version not in self.versions:
            oldest, newest = self.versions[0], self.versions[-1]
            raise ConfigError(
                f"api_version is {self.api_version}, but this org offers {oldest} to {newest}: set one of them"
            )

    def limits(self) -> dict[str, Limit]:
        """Return the org's limits by name, such as ``DailyApiRequests``."""
        return self.get_as(_limits, "limits")

    @property
    def api_usage(self) -> ApiUsage | None:
        """The org's API use as of the last answer, or None before the first that told it."""
        return self._usage

    def check_quota(self) -> None:
        """Stop here if the org's daily API use, or this run's share of it, has reached its setting.

        Raises: QuotaReached.
        """
        usage = self._usage
        if usage is None or usage.max <= 0:
            return
        for quota, used, percent in (
            ("quota_percent_total", usage.used, self._config.quota_percent_total),
            ("quota_percent_per_run", self._requests_sent, self._config.quota_percent_per_run),
        ):
            if used >= usage.max * percent / 100:
                raise QuotaReached(
                    f"stopped for quota: {quota} is {percent:g} % of the org's {usage.max} daily API requests,"
                    f" and {used} are used ({usage.used} by the whole org);"
                    f" run again later to resume, or raise {quota}",
                    quota=quota,
                )

    def check_limits(self, *names: str) -> None:
        """Stop here if one of these limits of the org's has been used to ``quota_percent_total``.

        They are asked for once a minute at most; where the user may not see them, or they cannot be read, nothing is
        stopped.

        Raises: QuotaReached.
        """
        if self._limits is None or time.monotonic() - self._limits[1] > LIMITS_AGE_S:
            try:
                self._limits = self.limits(), time.monotonic()
            except RequestRefused as error:
                logger.info("the org's limits are not checked, since this user may not see them: %s", error)
                self._limits = {}, math.inf
            except BrokenAnswer as error:  # also when asked again
                logger.warning("the org's limits are not checked, since they cannot be read: %s", error)
                self._limits = {}, math.inf
        limits, _ = self._limits
        percent = self._config.quota_percent_total
        for name in names:
            limit = limits.get(name)
            if limit and limit.max > 0 and limit.max - limit.remaining >= limit.max * percent / 100:
                raise QuotaReached(
                    f"stopped for quota: {limit.max - limit.remaining} of the org's {limit.max} {name} are used, and"
                    f" quota_percent_total is {percent:g} %; run again later to resume, or raise quota_percent_total",
                    quota=name,
                )

    def server_now(self) -> datetime:
        """Return the server's time (aware, UTC, whole seconds), from its last answer's ``Date``."""
        if self._server_time is None:
            self.get_json(VERSIONS)  # costs none of the org's API requests
        if self._server_time is None:  # no Date header: nothing better than our own clock
            return datetime.now(UTC).replace(microsecond=0)
        date, seen_at = self._server_time
        return date + timedelta(seconds=int(time.monotonic() - seen_at))

    def _url(self, session: Session, path: str) -> str:
        if path.startswith("/"):
            return session.instance_url + path
        return f"{session.instance_url}/services/data/v{self.api_version}/{path}"

    def _with_session(self, one_try: Callable[[Session], T]) -> T:
        session = self._authenticator.session()
        try:
            return one_try(session)
        except SessionExpired:
            session = self._authenticator.renew(session)
        try:
            return one_try(session)
        except SessionExpired as error:
            raise LoginError(f"a new session is refused as well: {error}") from error

    def _see(self, response: requests.Response) -> None:
        """Keep what every answer tells by the way: the org's API use, and the server's clock."""
        with self._count_lock:
            self._requests_sent += 1
        if usage := _API_USAGE.search(response.headers.get("Sforce-Limit-Info", "")):
            self._usage = ApiUsage(used=int(usage[1]), max=int(usage[2]))
            telemetry.note(API_REQUESTS_USED, self._usage.used)
            telemetry.note(API_REQUESTS_LIMIT, self._usage.max)
        try:
            date = parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            return
        self._server_time = (date, time.monotonic())
