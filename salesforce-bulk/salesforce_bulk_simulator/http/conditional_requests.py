"""Conditional requests: 304 for a resource that has not changed, 412 for one that has."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from .errors import RequestRefused
from .messages import Request, Response


def conditional(request: Request, response: Response, *, changed: datetime, has_tag: bool = False) -> Response:
    """Return the response, or 304 if the client already has it according to the request's conditions.

    ``changed`` is when the resource was last changed; ``has_tag`` adds an ETag, as rows of Account have.

    Raises:
        RequestRefused: 412, if the resource has changed and the request requires that it has not.
    """
    changed = changed.astimezone(UTC).replace(microsecond=0)
    response.headers["Last-Modified"] = format_datetime(changed, usegmt=True)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"' if has_tag else None
    if tag:
        response.headers["ETag"] = tag
    unmodified_since = _moment(request, "if-unmodified-since")
    if (unmodified_since and changed > unmodified_since) or (
        tag and not _matches(request, "if-match", tag, absent=True)
    ):
        raise precondition_failed()
    if tag and "if-none-match" in request.headers:
        is_known = _matches(request, "if-none-match", tag, absent=False)
    else:
        modified_since = _moment(request, "if-modified-since")
        is_known = modified_since is not None and changed <= modified_since
    if not is_known:
        return response
    kept = {key: value for key, value in response.headers.items() if key != "Content-Type"}
    return Response(304, b"", kept)


def refuse_changed(request: Request, *, changed: datetime) -> None:
    """Refuse to change a resource that has changed since the time in the request.

    Raises:
        RequestRefused: 412, or 400 if the time is invalid.
    """
    if "if-unmodified-since" not in request.headers:
        return
    moment = _moment(request, "if-unmodified-since")
    if moment is None:
        raise RequestRefused(400, "INVALID_HEADER", "If-Unmodified-Since is not a date")
    if changed.replace(microsecond=0) > moment:
        raise precondition_failed()


def precondition_failed() -> RequestRefused:
    return RequestRefused(412, "PRECONDITION_FAILED", "The resource has changed since the time given")


def _matches(request: Request, header: str, tag: str, *, absent: bool) -> bool:
    value = request.headers.get(header)
    if value is None:
        return absent
    return any(each.strip().removeprefix("W/") in (tag, "*", tag.strip('"')) for each in value.split(","))


def _moment(request: Request, header: str) -> datetime | None:
    """Return the time in a header. A request that reads ignores an invalid one."""
    try:
        moment = parsedate_to_datetime(request.headers[header])
    except (KeyError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
