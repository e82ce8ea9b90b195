"""What the tap itself adds to the client's errors.

::

    SalesforceError (salesforce_bulk_client.errors)
    ├── UnexpectedValue     a result column holds what its describe type cannot hold
    ├── TooComplicated      a query has more fields or conditions than Salesforce can process
    ├── Unforeseen          a bug of the tap's, or an answer of a form it does not know
    ├── SchemaDrift         an object's fields have changed, and `schema_drift` says that this is an error
    ├── StreamMapFailed     a stream map or filter is invalid, or failed on a record
    └── StreamsFailed       some streams failed; the others were read
"""

from __future__ import annotations

from traceback import walk_tb
from typing import TYPE_CHECKING, Self

from salesforce_bulk_client import SalesforceError
from singer_sdk.exceptions import StreamMapConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnexpectedValue(SalesforceError):
    """A result column holds what its describe type cannot hold; the message never shows the value."""


class TooComplicated(SalesforceError):
    """A query has more fields or conditions than Salesforce can process, those of formula fields included."""


UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What an answer of an unknown form would raise. Errors of the operating system (OSError) end the run."""


class Unforeseen(SalesforceError):
    """A bug of the tap's, or an answer of a form it does not know, met while it read a stream."""

    @classmethod
    def from_error(cls, error: Exception) -> Self:
        """Return the error with where it arose, but without its text, which may hold a record's values."""
        *_, (frame, line) = walk_tb(error.__traceback__)
        place = f"{frame.f_globals.get('__name__')}, line {line}"
        return cls(f"the tap could not continue after {type(error).__name__} in {place}: please report this")


class SchemaDrift(SalesforceError):
    """An object's fields have changed, and the settings say that this is an error."""


class StreamMapFailed(SalesforceError):
    """A stream map or filter is invalid, or failed on a record.

    Of the original error only the class is reported: its text may hold a record's values.
    """

    @classmethod
    def from_setup(cls, error: Exception) -> Self:
        """Return the error for a map that cannot be compiled."""
        reason = str(error) if isinstance(error, StreamMapConfigError) else _kind_of(error)
        return cls(f"{_expression_in(error)} in stream_maps is invalid ({reason})")

    @classmethod
    def from_record(cls, error: Exception) -> Self:
        """Return the error for a map that failed on a record."""
        return cls(f"{_expression_in(error)} in stream_maps failed on a record ({_kind_of(error)})")


def _kind_of(error: Exception) -> str:
    return type(error.__cause__ or error).__name__


def _expression_in(error: Exception) -> str:
    """Return the name of the expression that was being compiled or evaluated, which only the SDK's frames know."""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_name == "_eval" and "property_name" in frame.f_locals:
            return str(frame.f_locals["property_name"] or "__filter__")
        if frame.f_code.co_name == "_init_functions_and_schema" and "filter_rule" in frame.f_locals:
            return str(frame.f_locals.get("prop_key", "__filter__"))
    return "its entry"


class StreamsFailed(SalesforceError):
    """Some streams failed; ``failures`` has the error of each by name."""

    def __init__(self, failures: Mapping[str, SalesforceError], *, number_of_streams: int) -> None:
        details = "; ".join(f"{name}: {error}" for name, error in failures.items())
        super().__init__(f"{len(failures)} of {number_of_streams} streams failed: {details}")
        self.failures = failures
