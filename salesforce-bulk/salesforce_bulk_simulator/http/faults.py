"""Faults as data: what can go wrong with a request, a response or a job."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

_JSON = {"Content-Type": "application/json;charset=UTF-8"}
_HTML = {"Content-Type": "text/html;charset=UTF-8"}
_MET_WHILE_PROCESSING = ("job_fails", "lock_rows", "results_lost", "close_wins")
"""Kinds that take effect while a request or job is processed, not on the connection."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong. Create it with the class methods below."""

    kind: str
    status_code: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    bytes_sent: int = 0
    seconds: float = 0.0
    header: str = ""
    message: str = ""
    count: int = 0
    file: str = ""
    has_counts: bool = True
    where: Callable[[Mapping[str, Any]], bool] | None = None

    @classmethod
    def status(
        cls, status: int, *, body: str = "", json: Any = None, headers: Mapping[str, str] | None = None
    ) -> Fault:
        """The request is not carried out but answered with this status; ``json`` takes precedence over ``body``."""
        if json is not None:
            return cls._answer(status, json_module.dumps(json), {**_JSON, **(headers or {})})
        return cls._answer(status, body, headers or {})

    @classmethod
    def html(cls, status: int) -> Fault:
        """The request is not carried out but answered with an HTML page, as gateways do."""
        return cls._answer(status, f"<html><body><h1>Error {status}</h1></body></html>", _HTML)

    @classmethod
    def _answer(cls, status: int, body: str, headers: Mapping[str, str]) -> Fault:
        return cls(kind="answer", status_code=status, body=body.encode(), headers=headers)

    @classmethod
    def not_found(cls) -> Fault:
        """The request is answered with Salesforce's own 404, although the resource exists."""
        return cls.status(404, json=[_error("NOT_FOUND", "The requested resource does not exist")])

    @classmethod
    def html_after(cls, status: int) -> Fault:
        """The request is carried out, but answered with an HTML page: a gateway timed out."""
        answer = cls.html(status)
        return replace(answer, kind="answer_after")

    @classmethod
    def request_limit_total(cls) -> Fault:
        """The request is refused because the org's daily API requests are used up."""
        return cls.status(403, json=[_error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")])

    @classmethod
    def request_limit_concurrent(cls) -> Fault:
        """The request is refused because too many long-running requests run at once."""
        message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
        return cls.status(403, json=[_error("REQUEST_LIMIT_EXCEEDED", message)])

    @classmethod
    def unauthorized(cls, *, kills_token: bool = True) -> Fault:
        """The session is refused with 401. Its access token becomes invalid, unless ``kills_token`` is false."""
        if not kills_token:
            return cls.status(401, json=[_error("INVALID_SESSION_ID", "Session expired or invalid")])
        return cls(kind="unauthorized")

    @classmethod
    def reset_before(cls) -> Fault:
        """The connection is reset and the request is not carried out."""
        return cls(kind="reset_before")

    @classmethod
    def reset_after(cls) -> Fault:
        """The request is carried out, then the connection is reset without a response."""
        return cls(kind="reset_after")

    @classmethod
    def carried_out_late(cls, *, after: int | None = None) -> Fault:
        """The connection is reset, and the request is carried out later: before the ``after``-th request that follows.

        Without ``after`` it is carried out when ``Org.carry_out_late_requests`` is called.
        """
        return cls(kind="late", count=0 if after is None else after)

    @classmethod
    def cut_after(cls, *, bytes: int) -> Fault:  # noqa: A002  it reads well where it is used
        """The response is cut off after that number of bytes of its body."""
        return cls(kind="cut", bytes_sent=bytes)

    @classmethod
    def wrong_length(cls) -> Fault:
        """The response is complete, but its Content-Length is larger than its body."""
        return cls(kind="wrong_length")

    @classmethod
    def stall(cls, seconds: float) -> Fault:
        """The request is carried out and answered only after that number of seconds."""
        return cls(kind="stall", seconds=seconds)

    @classmethod
    def without_header(cls, header: str) -> Fault:
        """The response lacks a header."""
        return cls(kind="without_header", header=header)

    @classmethod
    def job_fails(
        cls,
        message: str = "InternalServerError : Retried more than fifteen times",
        *,
        after_rows: int = 0,
        lists_unprocessed: bool = True,
        has_counts: bool = True,
    ) -> Fault:
        """The job that this request creates or closes ends Failed with this message.

        An ingest job loads ``after_rows`` of its rows first. Without ``lists_unprocessed`` its unprocessed file holds
        only the header; without ``has_counts`` its info lacks the counts of processed and failed records.
        """
        file = "" if lists_unprocessed else "unprocessed"
        return cls(kind="job_fails", message=message, count=after_rows, file=file, has_counts=has_counts)

    @classmethod
    def results_lost(cls, file: str, *, rows: int = 1, has_counts: bool = True) -> Fault:
        """The ingest job of this request completes, but its ``successful`` or ``failed`` file lacks ``rows`` rows.

        Its record counts include them, so file and counts disagree; without ``has_counts`` they agree.
        """
        if file not in ("successful", "failed"):
            raise ValueError(f"unknown result file '{file}'; only successful and failed can lose rows")
        return cls(kind="results_lost", file=file, count=rows, has_counts=has_counts)

    @classmethod
    def close_wins(cls) -> Fault:
        """The abort is refused because a close was carried out just before it; the job continues."""
        return cls(kind="close_wins")

    @classmethod
    def lock_rows(cls, count: int = 0, *, where: Callable[[Mapping[str, Any]], bool] | None = None) -> Fault:
        """Records of this request or job fail with UNABLE_TO_LOCK_ROW: the first ``count``, or those of ``where``."""
        return cls(kind="lock_rows", count=count, where=where)

    @property
    def is_met_while_processing(self) -> bool:
        """Whether the fault takes effect while the request or job is processed, not on the connection."""
        return self.kind in _MET_WHILE_PROCESSING

    def locks(self, row: Mapping[str, Any], *, number: int) -> bool:
        """Whether the ``number``-th record (from 0) of a request or job is locked."""
        return self.where(row) if self.where else number < self.count


def _error(code: str, message: str) -> dict[str, str]:
    return {"errorCode": code, "message": message}
