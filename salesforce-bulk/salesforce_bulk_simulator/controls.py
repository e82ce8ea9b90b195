"""The simulator's own controls, under ``/_simulator``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RequestRefused
from .faults import Fault
from .messages import Request, Response, json_response

if TYPE_CHECKING:
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
"""The methods of ``Fault`` that make one."""


def state(org: Org, _request: Request) -> Response:
    """Answer ``GET /_simulator``: the jobs, and the faults that wait and that were met."""
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

    ``fault`` is a method of ``Fault``; ``times`` and ``after`` are those of ``FaultQueue.add``, other keys the fault's.
    """
    body = request.json_object()
    operation, name = str(body.pop("operation", "any")), str(body.pop("fault", ""))
    times, after = body.pop("times", 1), body.pop("after", 0)
    try:
        if name not in FAULTS:
            raise ValueError(f"no fault {name!r}; known are {', '.join(FAULTS)}")
        org.faults.add(operation, getattr(Fault, name)(**body), times=int(times), after=int(after))
    except (TypeError, ValueError) as error:
        raise RequestRefused(400, "INVALID_FAULT", str(error)) from error
    return state(org, request)


def carry_out_late_requests(org: Org, request: Request) -> Response:
    """Answer ``POST /_simulator/late``: do now what ``carried_out_late`` holds back."""
    org.carry_out_late_requests()
    return state(org, request)


def clear_faults(org: Org, request: Request) -> Response:
    """Answer ``DELETE /_simulator/faults``: forget the faults that wait."""
    org.faults.clear()
    return state(org, request)
