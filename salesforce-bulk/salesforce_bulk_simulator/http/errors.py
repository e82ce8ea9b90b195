"""The errors with which Salesforce refuses a request."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

NOT_IN_SIMULATOR = "NOT_IN_SIMULATOR"
"""The simulator's own error code: the request is valid, and Salesforce would serve it."""


_METHODS = ("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE")


class RequestRefused(Exception):
    """A request that is answered with an error: its status, errorCode and message."""

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


def not_in_simulator(what: str) -> RequestRefused:
    """Return the error for a feature that Salesforce has and the simulator lacks."""
    return RequestRefused(400, NOT_IN_SIMULATOR, f"Salesforce serves {what}, the simulator does not.")


def method_not_allowed(method: str, allowed: Collection[str]) -> RequestRefused:
    """Return the error for a method. A resource that supports GET supports HEAD, too."""
    known = {*allowed, "HEAD"} if "GET" in allowed else set(allowed)
    names = ",".join(name for name in _METHODS if name in known)
    return RequestRefused(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {names}")


def not_found(message: str = "The requested resource does not exist") -> RequestRefused:
    return RequestRefused(404, "NOT_FOUND", message)
