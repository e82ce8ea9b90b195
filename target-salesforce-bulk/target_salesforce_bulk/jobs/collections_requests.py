"""Small loads: up to 200 rows in one sObject Collections request, with the outcomes and files that a job would give.

Only for what can be done twice: when the answer is lost, the same rows are sent once more. An insert is not of that
kind, and a Collections request, unlike a job, cannot be asked later what it did; so inserts always go by jobs. And only
where nothing waits for the rows: a request that is lost may be carried out late, after a newer value.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from salesforce_bulk_client import ConnectionFailed, Operation, ResultKind, SalesforceClient, ServerBusy, for_owner
from salesforce_bulk_client.limits import NULL_IN_JOB_DATA
from salesforce_bulk_client.records.cells import NUMBER_TYPES
from salesforce_bulk_client.records.columns import Column
from salesforce_bulk_client.records.result_files import ResultFile, result_path
from salesforce_bulk_client.sobject_collections import SaveResult, delete_records, update_records, upsert_records

from target_salesforce_bulk.batches.batch import Batch

logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 1_000_000
"""More than that goes by a job: a choice of ours, far below what Salesforce takes."""

Send = Callable[..., list[SaveResult]]
"""Sends the rows; with ``is_repeatable=True`` again and again, until there is an answer."""


def request_for(batch: Batch, *, client: SalesforceClient) -> Send | None:
    """Return what sends a batch's rows in one request, or None if they have to go by a job."""
    destination = batch.destination
    if not batch.may_skip_job or batch.is_awaited or destination.assignment_rule_id:
        return None
    if destination.key_column == "Id" and not destination.key_prefix:
        return None  # a request takes Ids of any object, and these cannot be checked
    if batch.size_bytes > MAX_REQUEST_BYTES:
        return None
    rows = [cells for _, cells in batch.files.rows()]
    if destination.operation is Operation.DELETE:
        return partial(delete_records, client, ids=[cells[0] for cells in rows])
    records = as_records(destination.columns, rows)
    if records is None:
        return None
    if destination.operation is Operation.UPDATE:
        return partial(update_records, client, destination.object, records=records)
    key = destination.external_id_field
    if destination.operation is Operation.UPSERT and key and key != "Id":  # Collections cannot upsert by Id
        return partial(upsert_records, client, destination.object, records=records, external_id_field=key)
    return None


def as_records(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[dict[str, Any]] | None:
    """Return the rows of job data as records in JSON, or None if they say what JSON cannot: a parent that is cleared.

    >>> as_records((Column("Name", "string"), Column("Is_Red__c", "boolean")), [["Ada", "#N/A"], ["", "true"]])
    [{'Name': 'Ada', 'Is_Red__c': None}, {'Is_Red__c': True}]
    >>> as_records((Column("Lead:Who.Email", "email"),), [["ada@example.com"]])
    [{'Who': {'attributes': {'type': 'Lead'}, 'Email': 'ada@example.com'}}]
    """
    records = []
    for cells in rows:
        record: dict[str, Any] = {}
        for column, cell in zip(columns, cells, strict=True):
            path, _, parent_field = column.name.rpartition(".")
            if path and cell == NULL_IN_JOB_DATA:
                return None
            if not cell:
                continue
            value = _value(cell, column.type)
            if path:
                parent_type, _, relation = path.rpartition(":")
                attributes = {"attributes": {"type": parent_type}} if parent_type else {}
                record[relation] = {**attributes, parent_field: value}
            else:
                record[column.name] = value
        records.append(record)
    return records


def _value(cell: str, field_type: str) -> Any:
    if cell == NULL_IN_JOB_DATA:
        return None
    if field_type in NUMBER_TYPES:
        return msgspec.Raw(cell.encode())
    return cell == "true" if field_type == "boolean" else cell


def results_of(send: Send) -> list[SaveResult]:
    """Return the result of each row; when the answer is lost, the rows are sent once more.

    Raises: SalesforceError.
    """
    try:
        return send(is_repeatable=False)
    except (ConnectionFailed, ServerBusy) as error:
        if not error.may_have_worked:
            raise
        logger.warning("%s; the rows are sent once more, which changes nothing where they had arrived", error.for_log)
    return send(is_repeatable=True)


def write_result_files(batch: Batch, results: Sequence[SaveResult], *, directory: Path) -> list[ResultFile]:
    """Write what those of a job's three result files would be that have rows, and return them for reading."""
    names = [column.name for column in batch.destination.columns]
    tables: dict[ResultKind, list[list[str]]] = {
        ResultKind.SUCCESSFUL: [["sf__Id", "sf__Created", *names]],
        ResultKind.FAILED: [["sf__Id", "sf__Error", *names]],
        ResultKind.UNPROCESSED: [names],
    }
    for (_, cells), result in zip(batch.files.rows(), results, strict=True):
        if result.is_success:
            tables[ResultKind.SUCCESSFUL].append([result.id, str(result.was_created).lower(), *cells])
        else:
            tables[ResultKind.FAILED].append([result.id, _sf_error(result), *cells])
    result_files = []
    for kind, table in tables.items():
        if len(table) == 1:
            continue
        path = result_path(directory, sobject=batch.destination.object, name=batch.files.path.stem, kind=kind)
        with open(path, "w", encoding="utf-8", newline="", opener=for_owner) as file:
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
        result_files.append(ResultFile(path, kind=kind, columns=names))
    return result_files


def _sf_error(result: SaveResult) -> str:
    """Return an error as ``sf__Error`` spells it."""
    first = result.errors[0]
    return f"{first.code}:{first.message}:{','.join(first.fields)} --"
