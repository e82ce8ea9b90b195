"""``/deleted`` and ``/updated``: the records of an object that changed in a time span."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salesforce_bulk_simulator.data.clock import stamp_of
from salesforce_bulk_simulator.data.schema.model import SObject
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .org_protocol import RestOrg
from .path_parts import find_sobject

MAX_IDS = 600_000
"""Maximum number of ids in one response (REST API guide, "Get Deleted")."""
_DELETED_DAYS = 15
_UPDATED_DAYS = 30


def deleted(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/deleted``."""
    sobject = _replicateable(org, request)
    start, end = _span(org, request, days=_DELETED_DAYS)
    rows = _changed(org, sobject, start, end, where='"IsDeleted" = 1') if sobject.has_recycle_bin else []
    earliest = org.clock.now() - timedelta(days=_DELETED_DAYS)
    return json_response(
        {
            "deletedRecords": [{"id": record_id, "deletedDate": _json_date(stamp)} for record_id, stamp in rows],
            "earliestDateAvailable": _json_date(stamp_of(earliest)),
            "latestDateCovered": _json_date(end),
        }
    )


def updated(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/updated``."""
    sobject = _replicateable(org, request)
    start, end = _span(org, request, days=_UPDATED_DAYS)
    where = '"IsDeleted" = 0' if sobject.has_recycle_bin else "1"
    rows = _changed(org, sobject, start, end, where=where)
    return json_response({"ids": [record_id for record_id, _ in rows], "latestDateCovered": _json_date(end)})


def _replicateable(org: RestOrg, request: Request) -> SObject:
    sobject = find_sobject(org, request)
    if not sobject.flag("replicateable") or _stamp_field(sobject) is None:
        raise RequestRefused(400, "INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} is not replicateable")
    return sobject


def _stamp_field(sobject: SObject) -> str | None:
    return next((name for name in ("SystemModstamp", "LastModifiedDate") if sobject.field(name)), None)


def _span(org: RestOrg, request: Request, *, days: int) -> tuple[str, str]:
    """Return start and end as stamps; their seconds are ignored."""
    moments = []
    for name in ("start", "end"):
        text = request.query.get(name, "")
        try:
            # a plus sign that was not percent-encoded has become a space
            moment = datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)
        except (ValueError, OverflowError):
            raise RequestRefused(400, "INVALID_FIELD", f"{name}: value not of required type: {text}") from None
        moments.append(moment.replace(second=0, microsecond=0))
    start, end = moments
    if start >= end:
        raise RequestRefused(400, "INVALID_REPLICATION_DATE", "startDate must be before endDate by at least one minute")
    if start < org.clock.now() - timedelta(days=days):
        raise RequestRefused(400, "INVALID_REPLICATION_DATE", f"startDate is more than {days} days ago")
    return stamp_of(start), stamp_of(end)


def _changed(org: RestOrg, sobject: SObject, start: str, end: str, *, where: str) -> list[tuple[str, str]]:
    stamp = _stamp_field(sobject)
    sql = (
        f'SELECT "Id", "{stamp}" FROM "{sobject.name}" WHERE {where} AND "{stamp}" >= ? AND "{stamp}" < ?'  # noqa: S608
        f" LIMIT {MAX_IDS + 1}"
    )
    with org.lock:
        rows: list[tuple[str, str]] = org.store.select(sql, [start, end]).fetchall()
    if len(rows) > MAX_IDS:
        raise RequestRefused(400, "EXCEEDED_ID_LIMIT", f"exceeded max id limit: {MAX_IDS}")
    return rows


def _json_date(stamp: str) -> str:
    return stamp.replace("Z", "+0000")
