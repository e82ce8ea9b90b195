"""Splits the range of a job that took too long: by time, then by Id. REST queries, cheap by index, find its edges."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from salesforce_bulk_client import ApiError, QuotaError, query_records

from tap_salesforce_bulk.discovery.schema import KEY
from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.query.ranges import QueryRange, split_by_id, split_by_key
from tap_salesforce_bulk.query.rest_fallback import value_of
from tap_salesforce_bulk.query.soql import first_value
from tap_salesforce_bulk.timestamps import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from salesforce_bulk_client import SalesforceClient

    from tap_salesforce_bulk.query.soql import Query

    Halves = tuple[QueryRange, QueryRange]

logger = logging.getLogger(__name__)


def split_range(client: SalesforceClient, query: Query, query_range: QueryRange, *, prefer_id: bool) -> Halves | None:
    """Return the two halves of a range, or None when it cannot be split.

    By the replication key first: its halves can move the bookmark. But many rows may have been loaded at one moment,
    so that one half of the time may hold all of them: ``prefer_id`` splits by Id then.
    """
    splits = (_by_id, _by_key) if prefer_id else (_by_key, _by_id)
    try:
        halves = splits[0](client, query, query_range) or splits[1](client, query, query_range)
    except QuotaError:
        raise
    except ApiError as error:
        logger.info("%s is not read in halves, since their bounds cannot be queried: %s", query.sobject, error)
        return None
    if halves:
        logger.info("%s is read in halves: %s, %s", query.sobject, *(half.to_json() for half in halves))
    return halves


def earliest_key_value(client: SalesforceClient, query: Query) -> datetime | None:
    """Return the least value of the replication key among all rows; None when there are none.

    Raises: ApiError; UnexpectedValue if the answer is not a date.
    """
    if query.replication_key is None:
        return None
    found = _first_value(client, query, field=query.replication_key.name)
    try:
        return parse_instant(found) if found else None
    except ValueError:
        raise _unexpected(query.replication_key.name) from None


def _by_key(client: SalesforceClient, query: Query, query_range: QueryRange) -> Halves | None:
    key = query.replication_key
    if key is None or query_range.is_without_key or query_range.id_lower or query_range.id_upper:
        return None
    earliest = query_range.lower or earliest_key_value(client, query)
    step = timedelta(days=1) if key.type == "date" else timedelta(seconds=1)
    return split_by_key(query_range, earliest=earliest, step=step) if earliest else None


def _by_id(client: SalesforceClient, query: Query, query_range: QueryRange) -> Halves | None:
    first = query_range.id_lower or _first_value(client, query, field=KEY)
    last = query_range.id_upper or _first_value(client, query, field=KEY, last=True)
    try:
        return split_by_id(query_range, first=first, last=last) if first and last else None
    except ValueError:
        raise _unexpected(KEY) from None


def _first_value(client: SalesforceClient, query: Query, *, field: str, last: bool = False) -> str | None:
    soql = first_value(query.sobject, field=field, last=last)
    batches = query_records(client, soql, include_deleted=query.include_deleted)
    return next((str(value_of(record, field)) for batch in batches for record in batch), None)


def _unexpected(field: str) -> UnexpectedValue:
    return UnexpectedValue(f"the first or last {field}, queried via REST, is not a valid value")
