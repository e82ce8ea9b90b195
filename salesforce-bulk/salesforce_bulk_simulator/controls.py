"""The simulator's own controls, under ``/_simulator``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from .http.errors import RequestRefused
from .http.faults import Fault
from .http.json_parser import json_text
from .http.messages import Request, Response, json_response
from .org import Org

FAULTS = (
    "status",
    "html",
    "not_found",
    "html_after",
    "request_limit_total",
    "request_limit_concurrent",
    "unauthorized",
    "reset_before",
    "reset_after",
    "carried_out_late",
    "cut_after",
    "wrong_length",
    "stall",
    "without_header",
    "job_fails",
    "results_lost",
    "close_wins",
    "lock_rows",
)
"""The methods of ``Fault`` that create one."""


_MAX_TIMES = 100_000
"""Maximum of ``times`` and ``after`` in one request."""
_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "bool": bool,
    "Any": object,
    "Mapping[str, str]": dict,
}
"""The JSON values that are accepted for each type of a fault's arguments."""


def state(org: Org, _request: Request) -> Response:
    """Answer ``GET /_simulator``: the jobs, and the pending and completed faults."""
    return json_response(
        {
            "now": org.clock.stamp(),
            "requests": len(org.requests),
            "jobs": org.jobs,
            "faults": {
                "pending": [f"{operation}: {fault.kind}" for operation, fault in org.faults.pending],
                "completed": [f"{operation}: {fault.kind}" for operation, fault in org.faults.completed],
            },
        }
    )


def add_fault(org: Org, request: Request) -> Response:
    """Answer ``POST /_simulator/faults``: ``{"operation": "query.results", "fault": "cut_after", "bytes": 100}``.

    ``fault`` is a method of ``Fault``. ``times`` and ``after`` are those of ``FaultQueue.add``; all other keys are
    arguments of the fault.
    """
    body = request.json_object()
    operation, name = json_text(body.pop("operation", "any")), json_text(body.pop("fault", ""))
    times, after = body.pop("times", 1), body.pop("after", 0)
    try:
        if not all(type(number) is int and 0 <= number <= _MAX_TIMES for number in (times, after)):
            raise ValueError(f"times and after must be integers from 0 to {_MAX_TIMES}")
        org.faults.add(operation, _fault(name, body), times=times, after=after)
    except ValueError as error:
        raise RequestRefused(400, "INVALID_FAULT", str(error)) from error
    return state(org, request)


def _fault(name: str, arguments: dict[str, Any]) -> Fault:
    """Return a fault created by the method of ``Fault`` with that name.

    Raises:
        ValueError: there is no such method, or it takes other arguments.
    """
    if name not in FAULTS:
        raise ValueError(f"unknown fault '{name}'; known faults: {', '.join(FAULTS)}")
    create: Callable[..., Fault] = getattr(Fault, name)
    kinds = {
        key: str(each.annotation).removesuffix(" | None")
        for key, each in signature(create).parameters.items()
        if key != "where"
    }
    wanted = f"{name} takes {', '.join(f'{key} ({kind})' for key, kind in kinds.items()) or 'no arguments'}"
    if not all(key in kinds and isinstance(value, _TYPES[kinds[key]]) for key, value in arguments.items()):
        raise ValueError(wanted)
    try:
        return create(**arguments)
    except TypeError:
        raise ValueError(wanted) from None


def carry_out_late_requests(org: Org, request: Request) -> Response:
    """Answer ``POST /_simulator/late``: carry out the requests that ``carried_out_late`` has delayed."""
    org.carry_out_late_requests()
    return state(org, request)


def clear_faults(org: Org, request: Request) -> Response:
    """Answer ``DELETE /_simulator/faults``: discard the pending faults."""
    org.faults.clear()
    return state(org, request)
