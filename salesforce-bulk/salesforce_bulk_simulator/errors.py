"""What Salesforce answers when it refuses a request, and when it refuses one record."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

NOT_IN_SIMULATOR = "NOT_IN_SIMULATOR"
"""The code of a refusal that is the simulator's own: the request is valid, and Salesforce would serve it."""


NO_SUCH_KEY = "Provided external ID field does not exist or is not accessible"
_METHODS = ("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE")


class RequestRefused(Exception):
    """A request that is answered with an error: status, errorCode, message."""

    def __init__(self, status: int, code: str, message: str, *, fields: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, Any]]:
        """Return the JSON body: an array with one error."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]


class RecordRefused(Exception):
    """One record that is refused; the request it came with, or the job, goes on."""

    def __init__(self, code: str, message: str, *fields: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = list(fields)

    def as_result_column(self) -> str:
        """Return the ``sf__Error`` of a failed ingest row: ``CODE:message:FIELD1,FIELD2 --``.

        >>> RecordRefused("ENTITY_IS_DELETED", "entity is deleted").as_result_column()
        'ENTITY_IS_DELETED:entity is deleted:--'
        """
        fields = ",".join(self.fields) + " " if self.fields else ""
        return f"{self.code}:{self.message}:{fields}--"

    def as_json(self) -> dict[str, Any]:
        """Return the error of a collection's result."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


def not_in_simulator(what: str) -> RequestRefused:
    """Return the refusal of what Salesforce serves and the simulator does not; no code of Salesforce's is like it."""
    return RequestRefused(400, NOT_IN_SIMULATOR, f"Salesforce serves {what}, the simulator does not.")


def method_not_allowed(method: str, allowed: Collection[str]) -> RequestRefused:
    """Return the refusal of a method; whoever answers GET answers HEAD, too."""
    known = {*allowed, "HEAD"} if "GET" in allowed else set(allowed)
    names = ",".join(name for name in _METHODS if name in known)
    return RequestRefused(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {names}")


def not_found(message: str = "The requested resource does not exist") -> RequestRefused:
    return RequestRefused(404, "NOT_FOUND", message)
