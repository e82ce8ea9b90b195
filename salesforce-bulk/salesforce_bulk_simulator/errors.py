"""What Salesforce answers when it refuses a request, and when it refuses one record."""

from __future__ import annotations

from typing import Any


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


def not_found(message: str = "The requested resource does not exist") -> RequestRefused:
    return RequestRefused(404, "NOT_FOUND", message)
