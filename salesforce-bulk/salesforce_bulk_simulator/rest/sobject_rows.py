"""sObject Rows: one record by its Id, or by an external ID."""

from __future__ import annotations

from datetime import UTC, datetime

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.ids import as_18
from salesforce_bulk_simulator.data.records.keys import key_field, parse_key
from salesforce_bulk_simulator.data.records.rules import RecordRules
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Values
from salesforce_bulk_simulator.http.conditional_requests import conditional, refuse_changed
from salesforce_bulk_simulator.http.errors import RequestRefused, method_not_allowed, not_found
from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .json_records import success, values_of
from .org_protocol import RestOrg
from .path_parts import find_sobject, no_such_key
from .query_records import attributes, records_by_id

_METHODS_OF_A_ROW = ("GET", "PATCH", "DELETE")
_METHODS_OF_A_KEY = ("GET", "POST")
"""Methods of ``/sobjects/{Object}/{Field}/``, a key without a value, as reported for a PATCH."""


def _refused(error: RecordRefused) -> RequestRefused:
    is_missing = error.code in ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND") and not error.fields
    status = 404 if is_missing else 400
    return RequestRefused(status, error.code, error.message, fields=error.fields)


def create(org: RestOrg, request: Request) -> Response:
    """Answer ``POST /sobjects/{Object}``."""
    return json_response(success(_created(org, request)), status=201)


def create_by_id(org: RestOrg, request: Request) -> Response:
    """Answer ``POST /sobjects/{Object}/Id``: an upsert without an id, which creates the record."""
    name = request.parts["id"]
    if name.lower() != "id":
        if as_18(name):
            raise method_not_allowed("POST", _METHODS_OF_A_ROW)
        raise no_such_key(name)
    return json_response(success(_created(org, request)) | {"created": True}, status=201)


def _created(org: RestOrg, request: Request) -> str:
    sobject = find_sobject(org, request)
    body = request.json_object()
    with org.lock, org.store.transaction(origin=request.label):
        try:
            return RecordRules(org, sobject).insert(values_of(org, sobject, body, source=request.body))
        except RecordRefused as error:
            raise _refused(error) from error


def read(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/{Id}``, all fields or those in ``fields``."""
    sobject = find_sobject(org, request)
    return _answer(org, sobject, _live_row(org, sobject, _record_id(sobject, request)), request)


def _record_id(sobject: SObject, request: Request) -> str:
    """Return the id in the path. The path of a key without its value has the name of the key there."""
    text = request.parts["id"]
    if as_18(text) is None:
        if request.method != "GET" and key_field(sobject, text):
            raise method_not_allowed(request.method, _METHODS_OF_A_KEY)
        raise no_such_key(text)
    return text


def _answer(org: RestOrg, sobject: SObject, row: Values, request: Request) -> Response:
    listed = request.query.get("fields")
    names = [each.name for each in sobject.fields.values()] if listed is None else listed.split(",")
    (record,) = records_by_id(org, request, sobject, ids=[str(row["Id"])], names=[name.strip() for name in names])
    return conditional(request, json_response(record), changed=_changed(row), has_tag=sobject.name == "Account")


def _live_row(org: RestOrg, sobject: SObject, record_id: str) -> Values:
    with org.lock:
        row = org.store.row(sobject, str(as_18(record_id)))
    if row is None or row.get("IsDeleted"):
        raise not_found()
    return row


def _changed(row: Values) -> datetime:
    stamp = row.get("SystemModstamp") or row.get("LastModifiedDate") or row.get("CreatedDate")
    return datetime.fromisoformat(str(stamp)) if stamp else datetime.now(UTC)


def read_below(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/{a}/{b}``: a record by a key and its value, or the bytes of a base64 field."""
    sobject = find_sobject(org, request)
    first, second = request.parts["first"], request.parts["second"]
    if (key := key_field(sobject, first)) is not None:
        return _read_by_key(org, request, sobject, key, second)
    field = sobject.field(second)
    if field is None or field.type != "base64":
        raise not_found()
    if as_18(first) is None:
        raise no_such_key(first)
    value = _live_row(org, sobject, first)[field.name]
    return Response(200, value if isinstance(value, bytes) else b"", {"Content-Type": "application/octet-stream"})


def _read_by_key(org: RestOrg, request: Request, sobject: SObject, key: Field, text: str) -> Response:
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
    return _answer(org, sobject, _live_row(org, sobject, found[0]), request)


def update(org: RestOrg, request: Request) -> Response:
    """Answer ``PATCH /sobjects/{Object}/{Id}``."""
    sobject = find_sobject(org, request)
    record_id = _record_id(sobject, request)
    body = request.json_object()
    if "if-unmodified-since" in request.headers:
        refuse_changed(request, changed=_changed(_live_row(org, sobject, record_id)))
    with org.lock, org.store.transaction(origin=request.label):
        try:
            values = values_of(org, sobject, body, source=request.body)
            _refuse_in_body(values, "Id")
            RecordRules(org, sobject).update(record_id, values)
        except RecordRefused as error:
            raise _refused(error) from error
    return Response(204)


def _refuse_in_body(values: Values, *names: str) -> None:
    """Refuse a field that the path already specifies."""
    for name in names:
        if name in values:
            raise RequestRefused(400, "INVALID_FIELD", f"The {name} field should not be specified in the sobject data.")


def delete(org: RestOrg, request: Request) -> Response:
    """Answer ``DELETE /sobjects/{Object}/{Id}``."""
    sobject = find_sobject(org, request)
    record_id = _record_id(sobject, request)
    with org.lock, org.store.transaction(origin=request.label):
        try:
            RecordRules(org, sobject).delete(record_id)
        except RecordRefused as error:
            raise _refused(error) from error
    return Response(204)


def upsert(org: RestOrg, request: Request) -> Response:
    """Answer ``PATCH /sobjects/{Object}/{Field}/{value}``: 201 created, 200 (204 up to v45) updated, 300 several."""
    sobject = find_sobject(org, request)
    name = request.parts["field"]
    key = key_field(sobject, name)
    if key is None:
        raise no_such_key(name)
    body = request.json_object()
    may_create = request.query.get("updateOnly", "false").lower() != "true"
    with org.lock, org.store.transaction(origin=request.label):
        try:
            values = values_of(org, sobject, body, source=request.body)
            _refuse_in_body(values, key.name, "Id")
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
