"""`CheckingClient`: asks nothing twice, and notes the queries that reading would make instead of making them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from salesforce_bulk_client.client import VERSIONS
from salesforce_bulk_client.http import Body, Reader

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PlannedQuery:
    """A query that reading would begin with."""

    soql: str
    include_deleted: bool
    is_bulk: bool
    """By a query job; else by REST queries."""

    @property
    def rest_path(self) -> str:
        """Where REST answers such a query."""
        return "queryAll" if self.include_deleted else "query"

    @property
    def source(self) -> str:
        """What stands behind ``FROM``: the object, and the condition."""
        return self.soql.partition(" FROM ")[2]


class Noted(Exception):
    """A query was noted, and reading is not to go on."""

    def __init__(self, query: PlannedQuery) -> None:
        super().__init__(query.soql)
        self.query = query


class CheckingClient(SalesforceClient):
    """One client for all that is checked."""

    def __init__(self, config: ConnectionConfig) -> None:
        super().__init__(config)
        self._answers: dict[tuple[str, Callable[[Any], Any]], Any] = {}
        self._only_notes = False
        self._free_requests = 0

    @property
    def number_of_api_calls(self) -> int:
        """How many of the org's API requests it has cost so far, repeated ones included."""
        return self._requests_sent - self._free_requests

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Within this, a query that would read records is not sent, but raised as `Noted`."""
        self._only_notes = True
        try:
            yield
        finally:
            self._only_notes = False

    def get_as(self, form: Callable[[Any], T], path: str, *, params: dict[str, Any] | None = None) -> T:
        """Return what ``form`` makes of the JSON at ``path``; the same when it is asked for again."""
        if params is not None:
            return super().get_as(form, path, params=params)
        if (path, form) not in self._answers:
            self._answers[path, form] = super().get_as(form, path)
            self._free_requests += path == VERSIONS
        answer: T = self._answers[path, form]
        return answer

    def request(
        self,
        method: str,
        path: str,
        *,
        read: Reader[T],
        params: dict[str, Any] | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = True,
    ) -> T:
        """Send a request, as `SalesforceClient` does; or note a query.

        Raises: Noted.
        """
        if self._only_notes and (method, path) == ("POST", "jobs/query") and isinstance(body, bytes):
            job = msgspec.json.decode(body)
            is_all = job["operation"] == "queryAll"
            raise Noted(PlannedQuery(soql=job["query"], include_deleted=is_all, is_bulk=True))
        if self._only_notes and path in {"query", "queryAll"} and params is not None:
            raise Noted(PlannedQuery(soql=params["q"], include_deleted=path == "queryAll", is_bulk=False))
        return super().request(
            method, path, read=read, params=params, body=body, headers=headers, is_repeatable=is_repeatable
        )
