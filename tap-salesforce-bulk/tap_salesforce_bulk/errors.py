"""What the tap itself adds to the client's errors.

::

    SalesforceError (salesforce_bulk_client.errors)
    ├── UnexpectedValue     a result column holds what its describe type cannot hold
    ├── SchemaDrift         an object's fields have changed, and `schema_drift` says that this is an error
    └── StreamsFailed       some streams did not end well; the others did
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_bulk_client import SalesforceError

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnexpectedValue(SalesforceError):
    """A result column holds what its describe type cannot hold; the value itself is never told."""


class SchemaDrift(SalesforceError):
    """An object's fields have changed, and the settings say that this is an error."""


class StreamsFailed(SalesforceError):
    """Some streams did not end well; ``failures`` has the error of each by name."""

    def __init__(self, failures: Mapping[str, SalesforceError], *, number_of_streams: int) -> None:
        details = "; ".join(f"{name}: {error}" for name, error in failures.items())
        super().__init__(f"{len(failures)} of {number_of_streams} streams failed: {details}")
        self.failures = failures
