"""The error with which Salesforce refuses one record."""

from __future__ import annotations

from typing import Any


class RecordRefused(Exception):
    """One record that is refused; the others of its request or job are not affected."""

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


def row_locked(record_id: str) -> RecordRefused:
    """Return the error for a record that another process has locked."""
    message = "unable to obtain exclusive access to this record or 200 records: "
    return RecordRefused("UNABLE_TO_LOCK_ROW", message + (record_id or "001SIM000000000AAA"))
