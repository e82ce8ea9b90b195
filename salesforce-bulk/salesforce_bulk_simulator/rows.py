"""One record by its id, or by an external id."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .conditional import conditional, refuse_changed
from .describe import find_sobject
from .errors import RecordRefused, RequestRefused, not_found
from .ids import as_18
from .ingest_jobs import key_field, parse_key
from .messages import Request, Response, json_response
from .record_collections import success, values_of
from .records import RecordRules, Values
from .rest_query import attributes
from .schema.model import Field, SObject
from .values import to_json

if TYPE_CHECKING:
    from .org import Org


def _refused(error: RecordRefused) -> RequestRefused:
    status = 404 if error.code in ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND") else 400
    return RequestRefused(status, error.code, error.message, fields=error.fields)


def create(org: Org, request: Request) -> Response:
    """Answer ``POST /sobjects/{Object}``."""
    sobject = find_sobject(org, request)
    body = request.json_object()
    with org.lock, org.store.transaction(origin=request.label):
        try:
            record_id = RecordRules(org, sobject).insert(values_of(org, sobject, body))
        except RecordRefused as error:
            raise _refused(error) from error
    return json_response(success(record_id), status=201)


def read(org: Org, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/{Id}``, all fields or those in ``fields``."""
    sobject = find_sobject(org, request)
    return _answer(sobject, _live_row(org, sobject, request.parts["id"]), request)


def _answer(sobject: SObject, row: Values, request: Request) -> Response:
    names = request.query.get("fields")
    url = attributes(sobject, str(row["Id"]), request)
    answer: dict[str, Any] = {"attributes": url}
    for name in [each.name for each in sobject.fields.values()] if names is None else names.split(","):
        field = sobject.field(name.strip())
        if field is None:
            raise RequestRefused(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        if field.is_compound:
            parts = {key: row[part.name] for key, part in sobject.components(field).items()}
            answer[field.name] = parts if any(value is not None for value in parts.values()) else None
        else:
            answer[field.name] = to_json(field, row[field.name], url=url["url"])
    return conditional(request, json_response(answer), changed=_changed(row), has_tag=sobject.name == "Account")


def _live_row(org: Org, sobject: SObject, text: str) -> Values:
    record_id = as_18(text)
    if record_id is None:
        raise not_found("Provided external ID field does not exist or is not accessible")
    with org.lock:
        row = org.store.row(sobject, record_id)
    if row is None or row.get("IsDeleted"):
        raise not_found()
    return row


def _changed(row: Values) -> datetime:
    stamp = row.get("SystemModstamp") or row.get("LastModifiedDate") or row.get("CreatedDate")
    return datetime.fromisoformat(str(stamp)) if stamp else datetime.now(UTC)


def read_below(org: Org, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/{a}/{b}``: a record by a key and its value, or the bytes of a base64 field."""
    sobject = find_sobject(org, request)
    first, second = request.parts["first"], request.parts["second"]
    if (key := key_field(sobject, first)) is not None:
        return _read_by_key(org, request, sobject, key, second)
    field = sobject.field(second)
    if field is None or field.type != "base64":
        raise not_found()
    value = _live_row(org, sobject, first)[field.name]
    return Response(200, value if isinstance(value, bytes) else b"", {"Content-Type": "application/octet-stream"})


def _read_by_key(org: Org, request: Request, sobject: SObject, key: Field, text: str) -> Response:
    try:
        value = parse_key(key, text)
    except RecordRefused as error:
        raise _refused(error) from error
    with org.lock:
        found = org.store.ids_with(sobject, key, value, limit=200)
    if not found:
        raise not_found()
    if len(found) > 1:
        return json_response([attributes(sobject, each, request)["url"] for each in found], status=300)
    return _answer(sobject, _live_row(org, sobject, found[0]), request)


def update(org: Org, request: Request) -> Response:
    """Answer ``PATCH /sobjects/{Object}/{Id}``."""
    sobject = find_sobject(org, request)
    body = request.json_object()
    if "if-unmodified-since" in request.headers:
        refuse_changed(request, changed=_changed(_live_row(org, sobject, request.parts["id"])))
    with org.lock, org.store.transaction(origin=request.label):
        try:
            RecordRules(org, sobject).update(request.parts["id"], values_of(org, sobject, body))
        except RecordRefused as error:
            raise _refused(error) from error
    return Response(204)


def delete(org: Org, request: Request) -> Response:
    """Answer ``DELETE /sobjects/{Object}/{Id}``."""
    sobject = find_sobject(org, request)
    with org.lock, org.store.transaction(origin=request.label):
        try:
            RecordRules(org, sobject).delete(request.parts["id"])
        except RecordRefused as error:
            raise _refused(error) from error
    return Response(204)


def upsert(org: Org, request: Request) -> Response:
    """Answer ``PATCH /sobjects/{Object}/{Field}/{value}``: 201 created, 200 (204 up to v45) updated, 300 several."""
    sobject = find_sobject(org, request)
    name = request.parts["field"]
    key = key_field(sobject, name)
    if key is None:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    body = request.json_object()
    may_create = request.query.get("updateOnly", "false").lower() != "true"
    with org.lock, org.store.transaction(origin=request.label):
        try:
            values = values_of(org, sobject, body)
            if key.name in values or "Id" in values:
                message = f"The {key.name} field should not be specified in the sobject data."
                raise RequestRefused(400, "INVALID_FIELD", message)
            value = parse_key(key, request.parts["value"])
            found = org.store.ids_with(sobject, key, value, limit=200)
            if len(found) > 1:
                return json_response([attributes(sobject, each, request)["url"] for each in found], status=300)
            record_id, created = RecordRules(org, sobject).upsert(key, value, values, is_create_allowed=may_create)
        except RecordRefused as error:
            raise _refused(error) from error
    if not created and float(request.version) < 46:
        return Response(204)
    return json_response(success(record_id) | {"created": created}, status=201 if created else 200)
