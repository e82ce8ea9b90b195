"""REST queries, answered in batches that each name the next one (REST guide, "Query")."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from salesforce_bulk_client.errors import BrokenAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from salesforce_bulk_client.client import SalesforceClient

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def query_records(client: SalesforceClient, soql: str, *, include_deleted: bool) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of a query in batches of up to 2000, numbers with a fraction as exact decimals.

    ``include_deleted`` is ``queryAll``. The query travels in the URL: with it and its headers, a request has at most
    ``limits.MAX_URI_BYTES``.

    Raises: RequestRefused with Salesforce's words about the query, or for a batch that has waited for two days.
    """
    path = "queryAll" if include_deleted else "query"
    params: dict[str, Any] | None = {"q": soql}
    while path:
        answer = client.request(
            "GET", path, params=params, headers={"Accept": "application/json"}, read=_read_exact_json
        )
        for record in answer["records"]:
            del record["attributes"]
        yield answer["records"]
        path, params = ("" if answer["done"] else answer["nextRecordsUrl"]), None


def _read_exact_json(response: requests.Response) -> dict[str, Any]:
    try:
        answer = _DECODER.decode(response.content)
        if not (answer["done"] or answer["nextRecordsUrl"]) or not isinstance(answer["records"], list):
            raise KeyError
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise BrokenAnswer(f"{response.url.partition('?')[0]} answered no batch of records") from None
    return dict(answer)
