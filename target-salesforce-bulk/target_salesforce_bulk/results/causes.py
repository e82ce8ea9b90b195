"""`Causes`: why records were not loaded, in words that hold no value of a record. Pure.

Salesforce's messages can hold values, so what is shown is the error code, the names of fields, and words of our own.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from target_salesforce_bulk.outcomes import RecordError

MAX_CODES = 10
MAX_FIELDS = 5

WORDS = {
    # The target's own.
    "INVALID_RECORD": "breaks the schema of its stream",
    "UNDECLARED_PROPERTY": "a property that the SCHEMA does not declare",
    "STREAM_MAP_FAILED": "a stream map or filter failed",
    "INVALID_VALUE": "does not fit the type of the field",
    "NESTED_VALUE": "an object where the field takes text",
    "TEXT_MEANS_NULL": "the text #N/A would clear the field",
    "MISSING_KEY": "no value in the key",
    "ROW_TOO_LARGE": "larger than a job may be",
    "NOT_PROCESSED": "the job failed or was aborted",
    "NO_OUTCOME": "no result file names the record",
    "EQUAL_RECORD": "may be one that was loaded before",
    "FORGOTTEN": "given up by a person",
    # Salesforce's (SOAP API Developer Guide, "StatusCode"). Codes that say it all themselves have no words.
    "STRING_TOO_LONG": "longer than the field",
    "REQUIRED_FIELD_MISSING": "no value",
    "DUPLICATE_VALUE": "a record with this value exists already",
    "DUPLICATES_DETECTED": "refused by a duplicate rule",
    "DUPLICATE_EXTERNAL_ID": "several records have this external ID",
    "ENTITY_IS_DELETED": "the record is deleted",
    "INVALID_CROSS_REFERENCE_KEY": "record not found",
    "MALFORMED_ID": "not an Id of the object",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "cannot be written in this operation",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "refused by a validation rule",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow failed",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "not a value of the picklist",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "does not fit the type of the field",
    "FIELD_INTEGRITY_EXCEPTION": "breaks a rule of the field",
    "UNABLE_TO_LOCK_ROW": "locked by others",
    "INSUFFICIENT_ACCESS_OR_READONLY": "the user may not write the record",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "the user may not use a record that this one refers to",
    "STORAGE_LIMIT_EXCEEDED": "the org is full",
    "DELETE_FAILED": "other records need it",
}
"""Error code → its cause in a few words; the report's hints say what helps."""

_CODE = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)
_FIELD = re.compile(r"[A-Za-z]\w{0,79}(\.[A-Za-z]\w{0,79})?", re.ASCII)
_MISSING_PARENT = re.compile(
    r"Foreign key external ID: .* not found for field (?P<field>\w+) in entity (?P<object>\w+)", re.DOTALL
)


class Cause(NamedTuple):
    """Why one record was not loaded."""

    code: str
    fields: tuple[str, ...]
    words: str
    """Empty where the code says it all, or is not known here."""


def cause_of(error: RecordError) -> Cause:
    """Return the cause of an error; only names are taken from its text.

    >>> cause_of(RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ("Name",)))
    Cause(code='REQUIRED_FIELD_MISSING', fields=('Name',), words='no value')
    >>> message = "Foreign key external ID: n1 not found for field No__c in entity A__c"
    >>> cause_of(RecordError("INVALID_FIELD", message, ()))
    Cause(code='INVALID_FIELD', fields=(), words='no A__c has this No__c')
    """
    code = error.code if _CODE.fullmatch(error.code) else "UNKNOWN"
    fields = tuple(name for name in error.fields if _FIELD.fullmatch(name))
    parent = _MISSING_PARENT.fullmatch(error.message) if code == "INVALID_FIELD" else None
    words = f"no {parent['object']} has this {parent['field']}" if parent else WORDS.get(code, "")
    return Cause(code, fields, words)


@dataclass
class _Count:
    number: int = 0
    fields: Counter[str] = field(default_factory=Counter)


class Causes:
    """Counts causes by code and words."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}

    def add(self, cause: Cause, number: int) -> None:
        """Count records."""
        count = self._counts.setdefault((cause.code, cause.words), _Count())
        count.number += number
        for name in cause.fields:
            count.fields[name] += number

    def __str__(self) -> str:
        """Return them in words, the most frequent first.

        >>> causes = Causes()
        >>> causes.add(Cause("INVALID_FIELD", ("AccountId",), "parent not found"), 10)
        >>> causes.add(Cause("INVALID_EMAIL_ADDRESS", ("Email",), ""), 15)
        >>> str(causes)
        '15 INVALID_EMAIL_ADDRESS (Email), 10 INVALID_FIELD (AccountId: parent not found)'
        """
        counts = sorted(self._counts.items(), key=lambda item: -item[1].number)
        parts = [_text(code, words, count) for (code, words), count in counts[:MAX_CODES]]
        if rest := counts[MAX_CODES:]:
            parts.append(f"{sum(count.number for _, count in rest)} with {len(rest)} other causes")
        return ", ".join(parts)


def _text(code: str, words: str, count: _Count) -> str:
    names = [name for name, _ in count.fields.most_common(MAX_FIELDS)]
    if len(count.fields) > MAX_FIELDS:
        names.append("…")
    details = ": ".join(part for part in (", ".join(names), words) if part)
    return f"{count.number} {code}{f' ({details})' if details else ''}"
