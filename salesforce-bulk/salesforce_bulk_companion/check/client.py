"""`CheckingClient`: asks nothing twice, and counts what it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from salesforce_bulk_client.client import VERSIONS

T = TypeVar("T")


class CheckingClient(SalesforceClient):
    """One client for all that is checked."""

    def __init__(self, config: ConnectionConfig) -> None:
        super().__init__(config)
        self._answers: dict[tuple[str, Callable[[Any], Any]], Any] = {}
        self._free_requests = 0

    @property
    def number_of_api_calls(self) -> int:
        """How many of the org's API requests it has cost so far, repeated ones included."""
        return self._requests_sent - self._free_requests

    def get_as(self, form: Callable[[Any], T], path: str, *, params: dict[str, Any] | None = None) -> T:
        """Return what ``form`` makes of the JSON at ``path``; the same when it is asked for again."""
        if params is not None:
            return super().get_as(form, path, params=params)
        if (path, form) not in self._answers:
            self._answers[path, form] = super().get_as(form, path)
            self._free_requests += path == VERSIONS
        answer: T = self._answers[path, form]
        return answer
