"""sObject Collections: up to 200 records in one request, with one result for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from salesforce_bulk_simulator.data.errors import RecordRefused, row_locked
from salesforce_bulk_simulator.data.records.keys import KeyCounts, key_field
from salesforce_bulk_simulator.data.records.rules import RecordRules
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Values
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.json_parser import json_text
from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .json_records import success, values_of
from .org_protocol import RestOrg
from .path_parts import find_sobject, no_such_key
from .query_records import records_by_id

MAX_RECORDS = 200
"""Maximum number of records in one request (REST API guide, "sObject Collections")."""
MAX_RETRIEVED = 2000
"""Maximum number of records that one request can retrieve (REST API guide, "Get Records Using sObject Collections")."""


def create(org: RestOrg, request: Request) -> Response:
    """Answer ``POST /composite/sobjects``."""

    def save(sobject: SObject, values: Values) -> dict[str, Any]:
        return success(RecordRules(org, sobject).insert(values))

    return _save_all(org, request, **_records(request), save=save)


def update(org: RestOrg, request: Request) -> Response:
    """Answer ``PATCH /composite/sobjects``."""

    def save(sobject: SObject, values: Values) -> dict[str, Any]:
        return success(RecordRules(org, sobject).update(str(values.pop("Id", None) or ""), values))

    return _save_all(org, request, **_records(request), save=save, key=next(iter(org.objects.values())).field("Id"))


def upsert(org: RestOrg, request: Request) -> Response:
    """Answer ``PATCH /composite/sobjects/{Object}/{Field}``."""
    wanted = find_sobject(org, request)
    key = key_field(wanted, request.parts["field"])
    if key is None:
        raise no_such_key(request.parts["field"])

    def save(sobject: SObject, values: Values) -> dict[str, Any]:
        if sobject is not wanted:
            raise RecordRefused("INVALID_TYPE", f"Record type does not match request type: {wanted.name}")
        record_id, created = RecordRules(org, sobject).upsert(key, values.pop(key.name, None), values)
        return success(record_id) | {"created": created}

    return _save_all(org, request, **_records(request), save=save, key=key)


def delete(org: RestOrg, request: Request) -> Response:
    """Answer ``DELETE /composite/sobjects?ids=``."""
    ids = [each for each in request.query.get("ids", "").split(",") if each]
    _check_count(len(ids))

    def read(record: dict[str, Any]) -> tuple[SObject, Values]:
        record_id = record["Id"]
        sobject = next((each for each in org.objects.values() if record_id.startswith(each.key_prefix)), None)
        if sobject is None:
            raise RecordRefused("MALFORMED_ID", f"malformed id {record_id}", "Id")
        return sobject, record

    def save(sobject: SObject, values: Values) -> dict[str, Any]:
        return success(RecordRules(org, sobject).delete(str(values["Id"])))

    all_or_none = request.query.get("allOrNone", "false").lower() == "true"
    records = [{"Id": each} for each in ids]
    return _save_all(org, request, records, all_or_none=all_or_none, save=save, read=read)


def retrieve(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /composite/sobjects/{Object}?ids=&fields=``, and ``POST`` with both in its body."""
    sobject = find_sobject(org, request)
    body: Any = request.query if request.method in ("GET", "HEAD") else request.json_object()
    lists = [body.get(name) for name in ("ids", "fields")]
    lists = [each.split(",") if isinstance(each, str) else each for each in lists]
    if not all(isinstance(each, list) and each and all(isinstance(text, str) for text in each) for each in lists):
        raise RequestRefused(400, "INVALID_INPUT", "The request needs ids and fields")
    ids, names = lists
    if len(ids) > MAX_RETRIEVED:
        message = f"record limit reached. cannot submit more than {MAX_RETRIEVED} records in this call"
        raise RequestRefused(400, "EXCEEDED_MAX_SIZE_REQUEST", message)
    return json_response(records_by_id(org, request, sobject, ids=ids, names=[name.strip() for name in names]))


def _records(request: Request) -> dict[str, Any]:
    """Return the arguments of ``_save_all`` that the body contains."""
    body = request.json_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise RequestRefused(400, "JSON_PARSER_ERROR", "The request body has no list of records")
    _check_count(len(records))
    return {"records": records, "all_or_none": json_text(body.get("allOrNone", False)).lower() == "true"}


def _check_count(count: int) -> None:
    if count > MAX_RECORDS:
        message = f"record limit reached. cannot submit more than {MAX_RECORDS} records in this call"
        raise RequestRefused(400, "EXCEEDED_MAX_SIZE_REQUEST", message)
    if not count:
        raise RequestRefused(400, "INVALID_INPUT", "The request has no records")


def _type_of(org: RestOrg, record: dict[str, Any]) -> SObject:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if name is None:
        raise RequestRefused(400, "INVALID_TYPE", "The attributes of a record must name its sObject type.")
    sobject = org.objects.get(name.lower()) if isinstance(name, str) else None
    if sobject is None:
        raise RequestRefused(400, "INVALID_TYPE", f"sObject type '{json_text(name)}' is not supported.")
    return sobject


def _failure(error: RecordRefused) -> dict[str, Any]:
    return {"success": False, "errors": [error.as_json()]}


def _save_all(
    org: RestOrg,
    request: Request,
    records: list[dict[str, Any]],
    *,
    all_or_none: bool,
    save: Callable[[SObject, Values], dict[str, Any]],
    read: Callable[[dict[str, Any]], tuple[SObject, Values]] | None = None,
    key: Field | None = None,
) -> Response:
    """Read all records, then save them in order; with ``all_or_none`` one refused record rolls back all.

    ``key`` is the field that identifies a record; a value may occur only once.
    """

    def read_as_written(record: dict[str, Any]) -> tuple[SObject, Values]:
        sobject = _type_of(org, record)
        return sobject, values_of(org, sobject, record)

    results: list[dict[str, Any]] = []
    with org.lock:
        try:
            with org.store.transaction(origin=request.label):
                found = [_found(read or read_as_written, record) for record in records]
                keys = KeyCounts(key, (each[1] for each in found if isinstance(each, tuple))) if key else None
                for number, (record, each) in enumerate(zip(records, found, strict=True)):
                    try:
                        _refuse_locked(org, request, record, number)
                        if isinstance(each, RecordRefused):
                            raise each
                        if keys:
                            keys.refuse_duplicate(each[1])
                        results.append(save(*each))
                    except RecordRefused as refused:
                        results.append(_failure(refused))
                if all_or_none and not all(result["success"] for result in results):
                    raise _RolledBack
        except _RolledBack:
            message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
            undone = _failure(RecordRefused("ALL_OR_NONE_OPERATION_ROLLED_BACK", message))
            results = [undone if result["success"] else result for result in results]
    return json_response(results)


def _found(
    read: Callable[[dict[str, Any]], tuple[SObject, Values]], record: dict[str, Any]
) -> tuple[SObject, Values] | RecordRefused:
    try:
        return read(record)
    except RecordRefused as refused:
        return refused


def _refuse_locked(org: RestOrg, request: Request, record: dict[str, Any], number: int) -> None:
    fault = request.fault
    if fault and fault.kind == "lock_rows" and fault.locks(record, number=number):
        org.faults.complete(request.operation, fault)
        raise row_locked(json_text(record.get("Id", "")))


class _RolledBack(Exception):
    pass
