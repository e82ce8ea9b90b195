"""sObject Collections: up to 200 records in one request, and one result each, in the records' order (REST guide).

A request whose answer is lost is sent again only with ``is_repeatable``: the caller knows what a second one would mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import msgspec

from salesforce_bulk_client.errors import BrokenAnswer
from salesforce_bulk_client.http import Reader, read_as

if TYPE_CHECKING:
    from salesforce_bulk_client.client import SalesforceClient

PATH = "composite/sobjects"

_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "application/json",
    # REST applies the active assignment rule unless told otherwise, an ingest job does not: they shall do the same.
    "Sforce-Auto-Assign": "FALSE",
}


@dataclass(frozen=True, kw_only=True)
class SaveError:
    """One reason why a record was refused."""

    code: str
    message: str
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SaveResult:
    """What became of one record."""

    id: str
    """Empty where Salesforce gives none."""
    is_success: bool
    was_created: bool
    """Told by upsert only."""
    errors: tuple[SaveError, ...]

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return one entry of an answer."""
        return cls(
            id=answer.get("id") or "",
            is_success=bool(answer["success"]),
            was_created=bool(answer.get("created", False)),
            errors=tuple(
                SaveError(
                    code=error.get("statusCode") or "UNKNOWN",
                    message=error.get("message") or "",
                    fields=tuple(error.get("fields") or ()),
                )
                for error in answer.get("errors") or ()
            ),
        )


def update_records(
    client: SalesforceClient, sobject: str, *, records: Sequence[dict[str, Any]], is_repeatable: bool = False
) -> list[SaveResult]:
    """Update records by their ``Id``; each is saved or refused by itself.

    Raises: as `SalesforceClient.request`; ConnectionFailed also when the records may have been saved.
    """
    return _send(client, PATH, sobject, records=records, is_repeatable=is_repeatable)


def upsert_records(
    client: SalesforceClient,
    sobject: str,
    *,
    records: Sequence[dict[str, Any]],
    external_id_field: str,
    is_repeatable: bool = False,
) -> list[SaveResult]:
    """Create or update records by an external id, which cannot be ``Id``.

    Raises: as `update_records`.
    """
    path = f"{PATH}/{quote(sobject)}/{quote(external_id_field)}"
    return _send(client, path, sobject, records=records, is_repeatable=is_repeatable)


def delete_records(client: SalesforceClient, *, ids: Sequence[str], is_repeatable: bool = False) -> list[SaveResult]:
    """Move records to the recycle bin.

    Raises: as `update_records`.
    """
    return client.request(
        "DELETE",
        PATH,
        params={"ids": ",".join(ids), "allOrNone": "false"},
        headers=_HEADERS,
        is_repeatable=is_repeatable,
        read=_results_of(len(ids)),
    )


def _send(
    client: SalesforceClient, path: str, sobject: str, *, records: Sequence[dict[str, Any]], is_repeatable: bool
) -> list[SaveResult]:
    body = {"allOrNone": False, "records": [{"attributes": {"type": sobject}, **record} for record in records]}
    return client.request(
        "PATCH",
        path,
        body=msgspec.json.encode(body),
        headers=_HEADERS,
        is_repeatable=is_repeatable,
        read=_results_of(len(records)),
    )


def _results_of(count: int) -> Reader[list[SaveResult]]:
    def results(answer: Any) -> list[SaveResult]:
        if not isinstance(answer, list) or len(answer) != count:
            raise BrokenAnswer(f"{PATH} did not answer with one result for each of {count} records")
        return [SaveResult.from_json(entry) for entry in answer]

    return read_as(results)
