"""REST queries, answered in batches that each name the next one (REST guide, "Query")."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from salesforce_bulk_client.errors import BrokenAnswer
from salesforce_bulk_client.http import read_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from salesforce_bulk_client.client import SalesforceClient

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def query_records(client: SalesforceClient, soql: str, *, include_deleted: bool) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of a query in batches of up to 2000, numbers with a fraction as exact decimals.

    ``include_deleted`` is ``queryAll``. The query travels in the URL: with it and its headers, a request has at most
    ``limits.MAX_URI_BYTES``.

    Raises: RequestRefused with Salesforce's words about the query, or for a batch that has waited for two days;
        QuotaReached between batches.
    """
    path = "queryAll" if include_deleted else "query"
    params: dict[str, Any] | None = {"q": soql}
    read, seen = read_as(_batch, decoder=_DECODER), {""}
    while True:
        records, following = client.request(
            "GET", path, params=params, headers={"Accept": "application/json"}, read=read
        )
        yield records
        if not following:
            return
        if following in seen:
            raise BrokenAnswer(f"GET {path} names an earlier batch as the next one, so the query has no end")
        seen.add(following)
        client.check_quota()
        path, params = following, None


def _batch(answer: Any) -> tuple[list[dict[str, Any]], str]:
    """Return the records of one answer, and where the next ones are or the empty text."""
    records = answer["records"]
    if not isinstance(records, list):
        raise TypeError(type(records))
    for record in records:
        del record["attributes"]
    return records, "" if answer["done"] else f"/{answer['nextRecordsUrl'].removeprefix('/')}"
