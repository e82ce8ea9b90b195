"""The resource ``/limits``: the org's limits, and record counts."""

from __future__ import annotations

from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .org_protocol import RestOrg


def limits(org: RestOrg, _request: Request) -> Response:
    """Answer ``GET /limits``."""
    return json_response(
        {name: {"Max": limit.max, "Remaining": limit.remaining} for name, limit in sorted(org.limits.items())}
    )


def record_count(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /limits/recordCount``; unknown objects are omitted."""
    names = request.query.get("sObjects")
    wanted = (
        org.objects.values()
        if names is None
        else [sobject for name in names.split(",") if (sobject := org.objects.get(name.strip().lower()))]
    )
    with org.lock:
        counts = [{"count": org.store.count(sobject), "name": sobject.name} for sobject in wanted]
    return json_response({"sObjects": counts})
