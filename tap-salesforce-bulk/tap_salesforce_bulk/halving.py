"""Cutting in two what took a job too long: by time, then by Id. The edges are asked for by REST, cheap by index."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from salesforce_bulk_client import ApiError, QuotaError, query_records

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.parts import Part, halves_by_cursor, halves_by_id
from tap_salesforce_bulk.rest import value_of
from tap_salesforce_bulk.schema import KEY
from tap_salesforce_bulk.soql import first_value
from tap_salesforce_bulk.values import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from salesforce_bulk_client import SalesforceClient

    from tap_salesforce_bulk.soql import Query

logger = logging.getLogger(__name__)


def halves(client: SalesforceClient, query: Query, part: Part, *, prefer_id: bool) -> tuple[Part, Part] | None:
    """Return the two halves of a part, or None when it cannot be cut.

    By the cursor first: its halves can move the bookmark. But many rows may have been loaded in one moment, so that
    a half in time may hold all of them: ``prefer_id`` cuts by Id then.
    """
    cut = (_by_id, _by_cursor) if prefer_id else (_by_cursor, _by_id)
    try:
        found = cut[0](client, query, part) or cut[1](client, query, part)
    except QuotaError:
        raise
    except ApiError as error:
        logger.info("%s is not read in halves, since its edges cannot be found: %s", query.sobject, error)
        return None
    if found:
        logger.info("%s is read in halves: %s, %s", query.sobject, *(half.to_json() for half in found))
    return found


def earliest_cursor(client: SalesforceClient, query: Query) -> datetime | None:
    """Return the least cursor among all rows; None when there are none.

    Raises: ApiError; UnexpectedValue if the answer is no date.
    """
    if query.cursor is None:
        return None
    found = _first_value(client, query, field=query.cursor.name)
    try:
        return parse_instant(found) if found else None
    except ValueError:
        raise _unexpected(query.cursor.name) from None


def _by_cursor(client: SalesforceClient, query: Query, part: Part) -> tuple[Part, Part] | None:
    if query.cursor is None or part.is_without_key or part.id_lower or part.id_upper:
        return None
    earliest = part.lower or earliest_cursor(client, query)
    step = timedelta(days=1) if query.cursor.type == "date" else timedelta(seconds=1)
    return halves_by_cursor(part, earliest=earliest, step=step) if earliest else None


def _by_id(client: SalesforceClient, query: Query, part: Part) -> tuple[Part, Part] | None:
    first = part.id_lower or _first_value(client, query, field=KEY)
    last = part.id_upper or _first_value(client, query, field=KEY, last=True)
    try:
        return halves_by_id(part, first=first, last=last) if first and last else None
    except ValueError:
        raise _unexpected(KEY) from None


def _first_value(client: SalesforceClient, query: Query, *, field: str, last: bool = False) -> str | None:
    soql = first_value(query.sobject, field=field, last=last)
    batches = query_records(client, soql, include_deleted=query.include_deleted)
    return next((str(value_of(record, field)) for batch in batches for record in batch), None)


def _unexpected(field: str) -> UnexpectedValue:
    return UnexpectedValue(f"the first or last {field}, asked for by REST, is not one")
