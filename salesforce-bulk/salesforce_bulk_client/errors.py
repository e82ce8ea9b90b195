"""What can go wrong, grouped by what the caller does about it.

::

    SalesforceError
    ├── ConfigError               a setting is wrong or missing; nothing was sent
    ├── LoginError                the login was refused, or the session cannot be renewed
    ├── ConnectionFailed          no answer: refused, reset, timed out
    │   └── BrokenAnswer          an answer came, but not whole, or not what was asked for
    ├── ApiError                  Salesforce answered with an error (status, code, message)
    │   ├── ServerBusy            passing: worth asking again; also a 404 that is not Salesforce's own
    │   ├── SessionExpired        401: worth asking again with a new session
    │   ├── NotFound              404 with Salesforce's error code: no such object, or a job that is gone
    │   ├── QuotaExceeded         a daily limit of the org is used up (also a QuotaError)
    │   └── RequestRefused        anything else: asking again changes nothing
    ├── QuotaError                stop now, go on later
    │   ├── QuotaExceeded
    │   └── QuotaReached          our own guard stopped short of the org's limit
    └── JobError
        ├── JobFailed             Salesforce gave the job up
        ├── JobAborted            somebody aborted it
        ├── JobTimedOut           it took longer than ``job_timeout_s``; it still runs
        ├── JobGone               it does not exist any more (deleted, or older than 7 days)
        └── IncompleteResults     fewer or more rows came than Salesforce had counted
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import requests


class SalesforceError(Exception):
    """Base of all errors; ``str()`` gives one line for the user."""

    @property
    def for_log(self) -> str:
        """The error without Salesforce's own words, which may quote a record's values or a query."""
        return str(self)


class ConfigError(SalesforceError):
    """A setting is wrong or missing; nothing was sent."""


class LoginError(SalesforceError):
    """The login was refused, or the session cannot be renewed."""


class ConnectionFailed(SalesforceError):
    """No answer came.

    ``may_have_worked`` is False only when the request cannot have reached the server.
    """

    def __init__(self, message: str, *, may_have_worked: bool = True) -> None:
        super().__init__(message)
        self.may_have_worked = may_have_worked


class BrokenAnswer(ConnectionFailed):
    """An answer came, but it is cut, or is not what was asked for (HTML instead of JSON …)."""


class ApiError(SalesforceError):
    """Salesforce answered with an error; ``code`` is its ``errorCode``, or empty when it gave none."""

    def __init__(
        self, *, status: int, code: str, message: str, request: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{request} answered {status} {code or 'without an error code'}: {message}")
        self._for_log = f"{request} answered {status} {code or 'without an error code'}"
        self.status = status
        self.code = code
        self.message = message
        self.request = request
        self.retry_after_s = retry_after_s

    @property
    def for_log(self) -> str:
        """What was asked, and the status and code of the answer."""
        return self._for_log


class ServerBusy(ApiError):
    """A passing condition: worth asking again after a wait."""

    @property
    def may_have_worked(self) -> bool:
        """True when the request may have been carried out although the answer is an error.

        A gateway answers 404, 502, 503 or 504 in its own name: it does not know what Salesforce did.
        """
        return self.status in {404, 500, 502, 503, 504}


class SessionExpired(ApiError):
    """The access token is not valid any more: worth asking again with a new session, once."""


class NotFound(ApiError):
    """No such object or record, or one that this user may not see; or a job that is gone."""


class RequestRefused(ApiError):
    """Asking again would change nothing."""


class QuotaError(SalesforceError):
    """A limit stops the run; it can go on later. ``quota`` names the limit."""

    quota: str


class QuotaExceeded(ApiError, QuotaError):
    """A daily limit of the org is used up."""

    @property
    def quota(self) -> str:  # type: ignore[override]
        """The limit's name, as far as Salesforce's words tell it."""
        return next((name for words, name in QUOTA_WORDS.items() if words in self.message), "a daily limit of the org")


class QuotaReached(QuotaError):
    """Our own guard (``quota_percent_total``, ``quota_percent_per_run``) stopped before the org's limit."""

    def __init__(self, message: str, *, quota: str) -> None:
        super().__init__(message)
        self.quota = quota


class JobError(SalesforceError):
    """Something about one bulk job."""

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobFailed(JobError):
    """Salesforce gave the job up (state ``Failed``)."""


class JobAborted(JobError):
    """Somebody aborted the job (state ``Aborted``)."""


class JobTimedOut(JobError):
    """The job took longer than ``job_timeout_s``; it is left running."""


class JobGone(JobError):
    """The job does not exist any more: deleted, or older than 7 days."""


class IncompleteResults(JobError):
    """Fewer or more rows came than Salesforce had counted, also when asked again."""


BUSY_STATUSES = frozenset({406, 420, 429, 500, 502, 503, 504})
"""406 ``CustomNotAcceptable`` comes from quick describes, 420 from Salesforce Edge, the rest is general."""

BUSY_CODES = frozenset({"QUERY_TIMEOUT", "JOB_NOT_COMPLETE", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW"})
"""Errors that pass by themselves, whatever their status."""

QUOTA_WORDS: Final[Mapping[str, str]] = {
    "TotalRequests": "DailyApiRequests",
    "bulk v2 query jobs": "DailyBulkV2QueryJobs",
    "bulk v2 query result size": "DailyBulkV2QueryFileStorageMB",
}
"""How the messages about used up limits speak of them."""

QUOTA_CODES = frozenset({"LIMIT_EXCEEDED", "EXCEEDEDQUOTA", "REQUEST_LIMIT_EXCEEDED"})

POLICY_401_TEXTS = ("This session is not valid for use with the REST API", "Connected app is not attached to Agent")
"""401s that a new session does not cure; Salesforce tells them from an expired one by text alone (jsforce)."""


def error_from_response(response: requests.Response, *, request: str) -> ApiError:
    """Return the error that an answer with an error status stands for.

    ``request`` says what was asked (``GET limits``). Bodies may be the usual array of
    ``{errorCode, message}``, one such object, the login's ``{error, error_description}``, a SOAP fault, HTML, or empty.
    A 404 without an error code of Salesforce's comes from a gateway, and proves nothing.
    """
    status = response.status_code
    code, message = _code_and_message(response.content)
    if 300 < status < 400:
        host = urlsplit(response.headers.get("Location", "")).hostname or "another path"
        message = (
            f"it redirects to {host}, which is not followed: set domain, or the login_url or instance_url that"
            " is given, to the org's present host"
        )
    kind: type[ApiError] = RequestRefused
    if status == 401 and not any(text in message for text in POLICY_401_TEXTS):
        kind = SessionExpired
    elif code == "REQUEST_LIMIT_EXCEEDED" and message.startswith("ConcurrentRequests"):
        kind = ServerBusy  # the same code as the daily limit: only the text tells them apart
    elif code in QUOTA_CODES:
        kind = QuotaExceeded
    elif status in BUSY_STATUSES or code in BUSY_CODES:
        kind = ServerBusy
    elif status == 404:
        kind = NotFound if code else ServerBusy
    return kind(
        status=status,
        code=code,
        message=message,
        request=request,
        retry_after_s=_seconds(response.headers.get("Retry-After")),
    )


_SOAP_FAULT = re.compile(rb"<faultcode>(?:\w+:)?(\w+)</faultcode>\s*<faultstring>([^<]*)</faultstring>")


def _code_and_message(body: bytes) -> tuple[str, str]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if fault := _SOAP_FAULT.search(body):
            return fault[1].decode(), " ".join(unescape(fault[2].decode("utf-8", "replace")).split())
        return "", "no JSON, but a page of a gateway" if body.strip() else "an empty answer"
    first = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(first, dict):
        return "", "an answer of an unknown form"
    code, message = first.get("errorCode"), first.get("message")
    if not code and "error_description" in first:  # the login's form; other programs give an ``error`` by itself
        code, message = first.get("error"), first["error_description"]
    return str(code or ""), " ".join(str(message or "(no message)").split())


def _seconds(retry_after: str | None) -> float | None:
    """Return a ``Retry-After`` given in seconds; a date there is not worth the trouble.

    >>> _seconds("7"), _seconds("Wed, 21 Oct 2026 07:28:00 GMT"), _seconds(None)
    (7.0, None, None)
    """
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
