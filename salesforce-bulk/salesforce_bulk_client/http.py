"""One try of one HTTP request: sent, logged, and read whole, or an error of `errors`."""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import requests.exceptions
import urllib3.exceptions

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.connection_errors import check_surroundings, proxy_wants_credentials, why_no_answer
from salesforce_bulk_client.errors import BrokenAnswer, ConfigError, ConnectionFailed, error_from_response
from salesforce_bulk_client.instruments import HTTP_RECEIVED, HTTP_REQUESTS, HTTP_SENT

logger = logging.getLogger(__name__)

T = TypeVar("T")

Reader = Callable[[requests.Response], T]
"""Reads an answer's body whole; raises `BrokenAnswer` when it is not what was asked for."""

Body = bytes | Callable[[], IO[bytes]] | None
"""What is sent: bytes, or a file opened afresh for each try."""

CONNECT_TIMEOUT_S = 15.0


class _NoSession(requests.auth.AuthBase):
    """Sends a request as it is: without this, requests would take credentials from a ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def send_once(
    http: requests.Session,
    method: str,
    url: str,
    *,
    read: Reader[T],
    timeout_s: float,
    token: str | None = None,
    params: dict[str, Any] | None = None,
    body: Body = None,
    headers: Mapping[str, str] | None = None,
    see: Callable[[requests.Response], None] | None = None,
) -> T:
    """Return what ``read`` makes of the answer to one request.

    ``see`` is shown every answer's headers, those of errors too.

    Raises: ConnectionFailed when none came; BrokenAnswer when it broke off; ApiError when it is an error.
    """
    request = f"{method} {urlsplit(url).path}"
    started = time.monotonic()
    data = body() if callable(body) else body
    try:
        with (
            _told(method, url, data=data) as answered,
            http.request(
                method,
                url,
                params=params,
                data=data,
                headers=headers,
                auth=_Bearer(token) if token else _NoSession(),
                timeout=(CONNECT_TIMEOUT_S, timeout_s),
                stream=True,
                allow_redirects=False,
            ) as response,
        ):
            # without this urllib3 puts chunks together itself, and does not count what came
            response.raw.chunked = False
            answered(response)
            if see:
                see(response)
            seconds = time.monotonic() - started
            logger.debug("%s answered %d after %.2f s", request, response.status_code, seconds)
            if response.status_code == 407:
                raise ConfigError(proxy_wants_credentials(url))
            if not 200 <= response.status_code < 300:
                raise error_from_response(response, request=request)
            return read(response)
    except (requests.exceptions.RequestException, OSError) as error:
        check_surroundings(error, url=url)
        why = why_no_answer(error, request=request, url=url, timeout_s=timeout_s)
        if isinstance(error, requests.exceptions.ConnectionError):
            raise ConnectionFailed(why, may_have_worked=not _never_arrived(error)) from None
        raise BrokenAnswer(why) from None
    finally:
        if data is not None and not isinstance(data, bytes):
            data.close()


def _never_arrived(error: requests.exceptions.ConnectionError) -> bool:
    """Whether the request cannot have reached the server: no connection, or a certificate that is not accepted.

    Any other TLS error may have come after the request was sent.
    """
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError)):
        return True
    tried = error.args[0] if error.args else None
    reason = tried.reason if isinstance(tried, urllib3.exceptions.MaxRetryError) else None
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


@contextmanager
def _told(method: str, url: str, *, data: bytes | IO[bytes] | None) -> Iterator[Callable[[requests.Response], None]]:
    """Count the request that the block sends, and tell of it as a span; the block shows the answer when it has one."""
    answer: requests.Response | None = None
    parts = urlsplit(url)
    template = url_template(parts.path)
    with telemetry.span(f"{method} {template}", method=method, url_template=template, server=parts.hostname) as note:

        def answered(response: requests.Response) -> None:
            nonlocal answer
            answer = response
            note(status_code=response.status_code)

        try:
            yield answered
        finally:
            status_class = "none" if answer is None else f"{answer.status_code // 100}xx"
            telemetry.note(HTTP_REQUESTS, 1, method=method, status_class=status_class)
            if data is not None:
                telemetry.note(HTTP_SENT, len(data) if isinstance(data, bytes) else data.tell())
            if answer is not None:
                telemetry.note(HTTP_RECEIVED, answer.raw.tell())


def url_template(path: str) -> str:
    """Return a path without ids and values, of which there is no end.

    >>> url_template("/services/data/v66.0/jobs/query/750R0000000zlh9IAA/results")
    'jobs/query/{id}/results'
    >>> url_template("/services/data/v66.0/sobjects/Daily_File__c/Ref__c/2026-01-15")
    'sobjects/Daily_File__c/Ref__c/{value}'
    """
    path = re.sub(r"^/services/data/v[\d.]+/|^/", "", path)
    path = re.sub(r"^(sobjects/[^/]+/[^/]+)/.+", r"\1/{value}", path)
    return re.sub(r"(?<=/)(?=\w*\d)\w{15,18}(-\d+)?(?=/|$)", "{id}", path)


_DECODER = msgspec.json.Decoder()


def read_json(response: requests.Response, *, decoder: msgspec.json.Decoder[Any] = _DECODER) -> Any:
    """Return the decoded body, or None for none (204).

    Raises: BrokenAnswer for a body that is not valid JSON, and for an empty one where there has to be one (200).
    """
    content = response.content
    if not content and response.status_code != 200:
        return None
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        is_a_page = content.lstrip().startswith(b"<")
        what = "a web page" if is_a_page else "something else" if content.strip() else "an empty answer"
        raise BrokenAnswer(
            f"{_request_of(response)} answered {response.status_code} with {what} instead of JSON"
        ) from None


def read_as(form: Callable[[Any], T], *, decoder: msgspec.json.Decoder[Any] = _DECODER) -> Reader[T]:
    """Return a reader of what ``form`` makes of an answer's JSON.

    Where it cannot, because a key is missing or a value is of another type, the reader raises BrokenAnswer.
    """

    def read(response: requests.Response) -> T:
        answer = read_json(response, decoder=decoder)
        try:
            return form(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, msgspec.ValidationError) as error:
            raise BrokenAnswer(
                f"{_request_of(response)} answered {response.status_code} with JSON of another form than expected"
                f" ({type(error).__name__})"
            ) from error

    return read


def _request_of(response: requests.Response) -> str:
    return f"{response.request.method} {urlsplit(response.url).path}"


def read_nothing(response: requests.Response) -> None:
    """Read the body to its end, so that the connection can be used again.

    Raises: BrokenAnswer for a web page: a gateway has answered in Salesforce's place, and nothing was done.
    """
    if response.content.lstrip().startswith(b"<"):
        address = response.url.partition("?")[0]
        raise BrokenAnswer(f"{address} answered {response.status_code} with a web page: did a proxy answer?")
