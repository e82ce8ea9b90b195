"""The simulator's own controls, under ``/_simulator``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .messages import Request, Response, json_response

if TYPE_CHECKING:
    from .org import Org


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
