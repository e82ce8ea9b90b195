"""Outstanding records as a table and as JSON, a page at a time: there may be a million."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from target_salesforce_bulk import outstanding

from salesforce_bulk_companion.output import print_table

if TYPE_CHECKING:
    from target_salesforce_bulk.journal import Journal
    from target_salesforce_bulk.outstanding import Left, OutstandingRecord

_HEAD = ["Key", "Stream", "Operation", "Object", "Error", "Since"]


def print_records(journal: Journal) -> None:
    """Print tables of the records, the oldest first."""
    for page in _pages(journal):
        rows = [
            [_key(each), each.stream, each.operation, each.object, each.error_code, each.since[:10]] for each in page
        ]
        print_table(_HEAD, rows)


def list_as_json(journal: Journal, *, left: Left) -> Iterator[str]:
    """Yield the pieces of one JSON object with all that is known of the records, but for their values."""
    yield f'{{\n  "left": {json.dumps(left._asdict())},\n  "records": ['
    separator = "\n    "
    for page in _pages(journal):
        for each in page:
            yield separator + json.dumps(_as_json(each))
            separator = ",\n    "
    yield "\n  ]\n}\n"


def _pages(journal: Journal) -> Iterator[list[OutstandingRecord]]:
    last = 0
    while True:
        with journal.outstanding_records() as db:
            page = outstanding.page_of_records(db, after=last)
        if not page:
            return
        yield page
        last = page[-1].id


def _as_json(record: OutstandingRecord) -> dict[str, Any]:
    return {**dataclasses.asdict(record), "key": _key(record)}


def _key(record: OutstandingRecord) -> str:
    return record.key or f"#{record.id}"
