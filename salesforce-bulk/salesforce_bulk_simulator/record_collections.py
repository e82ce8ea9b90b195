"""sObject Collections: up to 200 records in one request, with one result each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import RecordRefused, RequestRefused, not_found
from .ingest_jobs import key_field, locked
from .load_columns import find_parent
from .messages import Request, Response, json_response
from .records import RecordRules, Values
from .schema.model import Field, SObject
from .values import from_json

if TYPE_CHECKING:
    from .org import Org

MAX_RECORDS = 200
"""Records in one request (REST API guide, "sObject Collections")."""


def create(org: Org, request: Request) -> Response:
    """Answer ``POST /composite/sobjects``."""
    all_or_none, records = _records(request)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        sobject = _type_of(org, record)
        return success(RecordRules(org, sobject).insert(values_of(org, sobject, record)))

    return _do(org, request, records, work, all_or_none=all_or_none)


def update(org: Org, request: Request) -> Response:
    """Answer ``PATCH /composite/sobjects``."""
    all_or_none, records = _records(request)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        sobject = _type_of(org, record)
        values = values_of(org, sobject, record)
        return success(RecordRules(org, sobject).update(str(values.pop("Id", None) or ""), values))

    return _do(org, request, records, work, all_or_none=all_or_none)


def upsert(org: Org, request: Request) -> Response:
    """Answer ``PATCH /composite/sobjects/{Object}/{Field}``."""
    sobject = org.objects.get(request.parts["sobject"].lower())
    if sobject is None:
        raise not_found()
    key = key_field(sobject, request.parts["field"])
    if key is None:
        name = request.parts["field"]
        raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
    all_or_none, records = _records(request)

    def work(record: dict[str, Any]) -> dict[str, Any]:
        if _type_of(org, record) is not sobject:
            raise RecordRefused("INVALID_TYPE", f"Record type does not match request type: {sobject.name}")
        values = values_of(org, sobject, record)
        record_id, created = RecordRules(org, sobject).upsert(key, values.pop(key.name, None), values)
        return success(record_id) | {"created": created}

    return _do(org, request, records, work, all_or_none=all_or_none)


def delete(org: Org, request: Request) -> Response:
    """Answer ``DELETE /composite/sobjects?ids=``."""
    ids = [each for each in request.query.get("ids", "").split(",") if each]
    _check_count(len(ids))
    all_or_none = request.query.get("allOrNone", "false").lower() == "true"

    def work(record: dict[str, Any]) -> dict[str, Any]:
        record_id = record["Id"]
        sobject = next((each for each in org.objects.values() if record_id.startswith(each.key_prefix)), None)
        if sobject is None:
            raise RecordRefused("MALFORMED_ID", f"malformed id {record_id}", "Id")
        return success(RecordRules(org, sobject).delete(record_id))

    return _do(org, request, [{"Id": each} for each in ids], work, all_or_none=all_or_none)


def _records(request: Request) -> tuple[bool, list[dict[str, Any]]]:
    body = request.json_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise RequestRefused(400, "JSON_PARSER_ERROR", "The request body has no list of records")
    _check_count(len(records))
    return bool(body.get("allOrNone", False)), records


def _check_count(count: int) -> None:
    if count > MAX_RECORDS:
        message = f"record limit reached. cannot submit more than {MAX_RECORDS} records in this call"
        raise RequestRefused(400, "EXCEEDED_MAX_SIZE_REQUEST", message)
    if not count:
        raise RequestRefused(400, "INVALID_INPUT", "The request has no records")


def _type_of(org: Org, record: dict[str, Any]) -> SObject:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    sobject = org.objects.get(str(name).lower())
    if name is None or sobject is None:
        raise RequestRefused(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return sobject


def values_of(org: Org, sobject: SObject, record: dict[str, Any]) -> Values:
    """Return the database values of a record in JSON; a parent may be given by its key.

    Raises:
        RequestRefused: INVALID_FIELD, JSON_PARSER_ERROR.
        RecordRefused: a value is not one of its field's.
    """
    values: Values = {}
    for name, value in record.items():
        if name == "attributes":
            continue
        if (reference := sobject.relationship(name)) and isinstance(value, dict):
            values[reference.name] = _parent_id(org, reference, value)
            continue
        field = sobject.field(name)
        if field is None or field.is_compound:
            raise RequestRefused(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        try:
            values[field.name] = from_json(field, value)
        except TypeError as error:
            message = (
                f"Cannot deserialize instance of {field.describe['soapType'].partition(':')[2]} from {error} value"
                f" {value} or request may be missing a required field at [line:1, column:1]"
            )
            raise RequestRefused(400, "JSON_PARSER_ERROR", message) from error
    return values


def _parent_id(org: Org, reference: Field, value: dict[str, Any]) -> str:
    """Return the id of a parent given as ``{"Ext__c": "…"}``, with ``attributes`` where it can be of several types."""
    attributes = value.get("attributes")
    named = attributes.get("type") if isinstance(attributes, dict) else None
    name = str(named or reference.reference_to[0])
    parent = org.objects.get(name.lower()) if name in reference.reference_to else None
    keys = [(key, text) for key, text in value.items() if key != "attributes"]
    key = key_field(parent, keys[0][0]) if parent and len(keys) == 1 else None
    if parent is None or key is None:
        raise RequestRefused(
            400, "INVALID_FIELD", f"The parent {reference.relationship_name} is not named by one of its keys"
        )
    return find_parent(org, parent, key, from_json(key, keys[0][1]))


def success(record_id: str) -> dict[str, Any]:
    """Return the result of a record that was saved."""
    return {"id": record_id, "success": True, "errors": []}


def _failure(error: RecordRefused) -> dict[str, Any]:
    return {"success": False, "errors": [error.as_json()]}


def _do(
    org: Org,
    request: Request,
    records: list[dict[str, Any]],
    work: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    all_or_none: bool,
) -> Response:
    """Work through the records in order; with ``all_or_none`` one refusal undoes all."""
    results: list[dict[str, Any]] = []
    fault = request.fault
    with org.lock:
        try:
            with org.store.transaction(origin=request.label):
                for number, record in enumerate(records):
                    try:
                        if fault and fault.kind == "lock_rows" and fault.locks(record, number=number):
                            org.faults.complete(request.operation, fault)
                            raise locked(str(record.get("Id", "")))
                        results.append(work(record))
                    except RecordRefused as refused:
                        results.append(_failure(refused))
                if all_or_none and not all(result["success"] for result in results):
                    raise _RolledBack
        except _RolledBack:
            message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
            undone = _failure(RecordRefused("ALL_OR_NONE_OPERATION_ROLLED_BACK", message))
            results = [undone if result["success"] else result for result in results]
    return json_response(results)


class _RolledBack(Exception):
    pass
