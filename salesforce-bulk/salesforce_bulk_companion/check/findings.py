"""`Findings`: what a check has found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from salesforce_bulk_client import QuotaError, SalesforceError

from salesforce_bulk_companion.command import EXIT_FAILED, EXIT_QUOTA
from salesforce_bulk_companion.org import requests_of_one_run

if TYPE_CHECKING:
    from salesforce_bulk_client import ConnectionConfig

    from salesforce_bulk_companion.check.streams import StreamCheck
    from salesforce_bulk_companion.org import LimitUse, OrgFacts


@dataclass(kw_only=True)
class Findings:
    """What has been found so far."""

    source: str
    """Of the settings."""
    config: ConnectionConfig | None = None
    facts: OrgFacts | None = None
    limits: list[LimitUse] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a user should know, and is no failure."""
    streams: list[StreamCheck] = field(default_factory=list)
    problems: list[tuple[str, SalesforceError]] = field(default_factory=list)
    """Where, and what."""
    api_calls: int = 0

    @property
    def requests_of_one_run(self) -> int | None:
        """How many API requests a run may use now."""
        return requests_of_one_run(self.limits, self.config) if self.config else None

    @property
    def reached(self) -> list[LimitUse]:
        """The limits at which the plugins would stop."""
        return [use for use in self.limits if use.is_reached]

    @property
    def exit_code(self) -> int:
        """0, 1 for a failure, or 75 when nothing but a quota stands in the way."""
        if any(not isinstance(error, QuotaError) for _, error in self.problems):
            return EXIT_FAILED
        return EXIT_QUOTA if self.problems or self.reached else 0
