"""Reading by REST query what Bulk refuses; each batch becomes a page of cells, as Bulk would have written it.

A request has to fit 16 KB, the query included: many fields are read in several queries, and their rows put together
by Id.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from salesforce_bulk_client import ConfigError, query_records

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.schema import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from salesforce_bulk_client import SalesforceClient

    from tap_salesforce_bulk.parts import Part
    from tap_salesforce_bulk.soql import Query

MAX_QUERY_BYTES = 12_000
"""Of the 16,384 bytes of an address with its headers; the session alone may take more than 1,000."""


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


def rest_pages(client: SalesforceClient, query: Query, part: Part) -> Iterator[RestPage]:
    """Yield all rows of the part of a query.

    Raises: ConfigError if no query for it fits into an address; QuotaReached before a query and between its batches;
        what Salesforce answers.
    """
    queries = queries_that_fit(query, part)
    if len(queries) == 1:
        batches = query_records(client, queries[0].soql(part), include_deleted=query.include_deleted)
    else:
        # Some order, so that the rows of all queries come at about the same time.
        soqls = [each.soql(part, order_by=KEY) for each in queries]
        batches = _joined([query_records(client, soql, include_deleted=query.include_deleted) for soql in soqls], query)
    client.check_quota()
    for batch in batches:
        yield RestPage(batch, columns=list(query.columns))


def queries_that_fit(query: Query, part: Part) -> list[Query]:
    """Return the query, or several that each ask for some of its columns, and all for the Id and the cursor.

    Raises: ConfigError if even that does not fit.
    """
    common = tuple(name for name in query.columns if name in {KEY, query.cursor and query.cursor.name})
    queries = [replace(query, columns=common)]
    for name in query.columns:
        if name in common:
            continue
        longer = replace(queries[-1], columns=(*queries[-1].columns, name))
        if _size_bytes(longer, part) <= MAX_QUERY_BYTES:
            queries[-1] = longer
        else:
            queries.append(replace(query, columns=(*common, name)))
    if KEY not in common and len(queries) > 1:
        raise ConfigError(f"{query.sobject} has no Id by which its rows could be put together: select fewer fields")
    if any(_size_bytes(each, part) > MAX_QUERY_BYTES for each in queries):
        raise ConfigError(f"the condition for {query.sobject} in soql_filters is too long for an address")
    return queries


def _size_bytes(query: Query, part: Part) -> int:
    return len(quote_plus(query.soql(part, order_by=KEY)))


def _joined(readings: list[Iterator[list[dict[str, Any]]]], query: Query) -> Iterator[list[dict[str, Any]]]:
    """Yield the records that all readings have, put together.

    A row that changes between two readings is left out, its cursor having moved past the upper bound: the next run
    reads it. So it does with a row that one reading lacks.
    """
    waiting: dict[str, list[dict[str, Any]]] = {}
    for batches in zip_longest(*readings, fillvalue=()):
        whole = []
        for record in _each(batches):
            pieces = waiting.setdefault(str(value_of(record, KEY)), [])
            pieces.append(record)
            if len(pieces) == len(readings):
                del waiting[record[KEY]]
                if query.cursor is None or len({str(value_of(piece, query.cursor.name)) for piece in pieces}) == 1:
                    whole.append({name: value for piece in pieces for name, value in piece.items()})
        yield whole


def _each(batches: Iterable[Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    return (record for batch in batches for record in batch)


def value_of(record: dict[str, Any], field: str) -> Any:
    """Return a record's value; a field that was asked for and is not there is no null.

    Raises: UnexpectedValue.
    """
    if field not in record:
        raise UnexpectedValue(f"a record of a REST answer lacks {field}, which was asked for")
    return record[field]


def _as_cell(value: object, field: str) -> str:
    """Return a JSON value as Bulk writes it, so that one way leads from both to Singer values.

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
