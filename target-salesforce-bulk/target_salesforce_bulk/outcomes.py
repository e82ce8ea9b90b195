"""`Outcome`: the outcome of one record, and how Salesforce's error texts are parsed. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec
from salesforce_bulk_client import Operation
from salesforce_bulk_client.records.columns import Column

TRANSIENT_CODES = frozenset({"UNABLE_TO_LOCK_ROW", "TooManyLockFailure", "TOO_MANY_LOCK_FAILURE"})
"""Errors of single rows that pass by themselves; all others are final (`salesforce-api.md`, 4.6)."""

_SF_ERROR = re.compile(r"(?P<code>\w+):(?P<message>.*):(?P<fields>[^:]*?)\s*--\s*", re.DOTALL)
_MISSING_PARENT = re.compile(r"Foreign key external ID: .* not found for field (\w+) in entity (\w+)", re.DOTALL)
_CODE_FIRST = re.compile(r"(?P<code>[A-Za-z][A-Za-z0-9_]+)\s*:\s*(?P<message>.*)", re.DOTALL)


class OutcomeKind(Enum):
    """What became of a record; the values are those of ``status`` in the outcome files."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    FAILED = "failed"
    UNPROCESSED = "unprocessed"
    DOUBTFUL = "doubtful"
    """It is not known whether it is in the org: a person decides."""

    __hash__ = object.__hash__  # a member equals only itself; Enum's own hash is slow, and each record needs several

    @property
    def is_loaded(self) -> bool:
        """Whether the org has it now."""
        return self in _LOADED

    @property
    def holds_state(self) -> bool:
        """Whether STATE must not pass such a record."""
        return self in _HOLD_STATE


_LOADED = frozenset({OutcomeKind.CREATED, OutcomeKind.UPDATED, OutcomeKind.DELETED})
_HOLD_STATE = frozenset({OutcomeKind.UNPROCESSED, OutcomeKind.DOUBTFUL})


class RecordError(NamedTuple):
    """Why a record was refused."""

    code: str
    message: str
    fields: tuple[str, ...]

    @property
    def is_missing_parent(self) -> bool:
        """Whether a relationship column names a parent that is not in Salesforce (only the message shows it)."""
        return self.code == "INVALID_FIELD" and _MISSING_PARENT.match(self.message) is not None


class RowResult(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one record, by a result file or a check of ours."""

    kind: OutcomeKind
    id: str | None = None
    error: RecordError | None = None
    job_id: str | None = None


class Outcome(msgspec.Struct):
    """One line of ``outcomes-{run_id}.jsonl``."""

    stream: str
    key: msgspec.Raw
    id: str | None
    status: OutcomeKind
    error_code: str | None
    error_message: str | None
    error_fields: tuple[str, ...]
    job_id: str | None


def loaded_kind(operation: Operation, *, was_created: bool) -> OutcomeKind:
    """Return the kind of a row of ``successfulResults``, by its ``sf__Created``."""
    if operation in {Operation.DELETE, Operation.HARD_DELETE}:
        return OutcomeKind.DELETED
    return OutcomeKind.CREATED if was_created else OutcomeKind.UPDATED


def parse_sf_error(text: str, *, columns: Sequence[Column] = ()) -> RecordError:
    """Return the parts of an ``sf__Error``: ``CODE:message:FIELD1,FIELD2 --``.

    Salesforce names no field for a parent that is missing; the names in its message fit one or more of the ``columns``.

    >>> parse_sf_error("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --")
    RecordError(code='REQUIRED_FIELD_MISSING', message='Required fields are missing: [Name]', fields=('Name',))
    >>> parse_sf_error("DUPLICATE_VALUE:duplicate value found on record with id: 006:--").fields
    ()
    """
    if match := _SF_ERROR.fullmatch(text):
        fields = tuple(name.strip() for name in match["fields"].split(",") if name.strip())
        return RecordError(match["code"], match["message"], fields or _parent_columns(match["message"], columns))
    if match := _CODE_FIRST.fullmatch(text):
        return RecordError(match["code"], match["message"], _parent_columns(match["message"], columns))
    return RecordError("UNKNOWN", text, ())


def _parent_columns(message: str, columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the columns in which the parent may stand that a message says is missing.

    >>> columns = (Column("Account.Ref__c", "string", "Account"), Column("Who.Ref__c", "string", "Lead"))
    >>> _parent_columns("Foreign key external ID: x not found for field Ref__c in entity Account", columns)
    ('Account.Ref__c',)
    """
    match = _MISSING_PARENT.search(message)
    named = match and (match[2].lower(), match[1].lower())
    return tuple(
        column.name for column in columns if named == (column.parent.lower(), column.name.rpartition(".")[2].lower())
    )
