"""Reads via REST queries what Bulk refuses; each batch becomes a page of cells, as Bulk would have written it.

The query travels in the address, of up to 16 KB: many fields are read by several queries, whose rows are joined by Id.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from salesforce_bulk_client import ConfigError, query_records

from tap_salesforce_bulk.discovery.schema import KEY
from tap_salesforce_bulk.errors import UnexpectedValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from salesforce_bulk_client import SalesforceClient

    from tap_salesforce_bulk.query.ranges import QueryRange
    from tap_salesforce_bulk.query.soql import Query

MAX_QUERY_BYTES = 12_000
"""Of the 16,384 bytes of an address with its headers; the access token alone may take more than 1,000."""


class RestPage:
    """One batch of records as cells."""

    def __init__(self, records: list[dict[str, Any]], *, columns: list[str]) -> None:
        """Read the records.

        Raises: UnexpectedValue if one lacks a column, or has a list or an object in it.
        """
        self.columns = columns
        self.number_of_records = len(records)
        self._rows = [[_as_cell(value_of(record, column), column) for column in columns] for record in records]
        self.nul_count = sum(cell.count("\0") for row in self._rows for cell in row)
        """NUL characters that are removed, as they are from Bulk's pages."""

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows."""
        if not self.nul_count:
            return iter(self._rows)
        return ([cell.replace("\0", "") for cell in row] for row in self._rows)


def rest_pages(client: SalesforceClient, query: Query, query_range: QueryRange) -> Iterator[RestPage]:
    """Yield all rows of a range of a query.

    Raises: ConfigError if no query for it fits into an address; QuotaReached before a query and between its batches;
        what Salesforce answers.
    """
    queries = queries_that_fit(query, query_range)
    if len(queries) == 1:
        batches = query_records(client, queries[0].soql(query_range), include_deleted=query.include_deleted)
    else:
        # Some order, so that the rows of all queries come at about the same time.
        soqls = [each.soql(query_range, order_by=KEY) for each in queries]
        batches = _joined([query_records(client, soql, include_deleted=query.include_deleted) for soql in soqls], query)
    client.check_quota()
    for batch in batches:
        yield RestPage(batch, columns=list(query.columns))


def queries_that_fit(query: Query, query_range: QueryRange) -> list[Query]:
    """Return the query, or several that each select some of its columns, and all the Id and the replication key.

    Raises: ConfigError if even that does not fit.
    """
    common = tuple(
        name for name in query.columns if name in {KEY, query.replication_key and query.replication_key.name}
    )
    queries = [replace(query, columns=common)]
    for name in query.columns:
        if name in common:
            continue
        longer = replace(queries[-1], columns=(*queries[-1].columns, name))
        if _size_bytes(longer, query_range) <= MAX_QUERY_BYTES:
            queries[-1] = longer
        else:
            queries.append(replace(query, columns=(*common, name)))
    if KEY not in common and len(queries) > 1:
        raise ConfigError(
            f"{query.sobject} has no Id by which the rows of several queries could be joined: select fewer fields"
        )
    if any(_size_bytes(each, query_range) > MAX_QUERY_BYTES for each in queries):
        raise ConfigError(f"the condition for {query.sobject} in soql_filters is too long for an address")
    return queries


def _size_bytes(query: Query, query_range: QueryRange) -> int:
    return len(quote_plus(query.soql(query_range, order_by=KEY)))


def _joined(readings: list[Iterator[list[dict[str, Any]]]], query: Query) -> Iterator[list[dict[str, Any]]]:
    """Yield the records that all readings have, joined by Id.

    A row that changes between two readings is left out, since its replication key has moved past the upper bound: the
    next run reads it. It also reads a row that one reading lacks.
    """
    key = query.replication_key.name if query.replication_key else None
    waiting: dict[str, list[dict[str, Any]]] = {}
    for batches in zip_longest(*readings, fillvalue=()):
        joined = []
        for record in _each(batches):
            pieces = waiting.setdefault(str(value_of(record, KEY)), [])
            pieces.append(record)
            if len(pieces) == len(readings):
                del waiting[record[KEY]]
                if key is None or len({str(value_of(piece, key)) for piece in pieces}) == 1:
                    joined.append({name: value for piece in pieces for name, value in piece.items()})
        yield joined


def _each(batches: Iterable[Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    return (record for batch in batches for record in batch)


def value_of(record: dict[str, Any], field: str) -> Any:
    """Return a record's value; a field that was queried and is missing does not count as null.

    Raises: UnexpectedValue.
    """
    if field not in record:
        raise UnexpectedValue(f"a record of a REST answer lacks {field}, which was queried")
    return record[field]


def _as_cell(value: object, field: str) -> str:
    """Return a JSON value as Bulk writes it, so that both become Singer values in the same way.

    >>> [_as_cell(value, "Name") for value in (None, True, 5, "NA")]
    ['', 'true', '5', 'NA']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        raise UnexpectedValue(f"a value of {field} in a REST answer is a list or an object")
    return str(value)
