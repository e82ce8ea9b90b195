"""The org's clock, so that a test can advance time instead of waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """The org's time: the machine's plus what a test has added, or frozen at a given moment."""

    def __init__(self, *, frozen_at: datetime | None = None) -> None:
        self._frozen_at = frozen_at
        self._added = timedelta(0)

    def now(self) -> datetime:
        """Return the org's time, in UTC."""
        return (self._frozen_at or datetime.now(UTC)) + self._added

    def advance(self, seconds: float) -> None:
        """Move the org's time forward (or back, if negative)."""
        self._added += timedelta(seconds=seconds)

    def stamp(self) -> str:
        """Return the time in the format of system fields: whole seconds, with ``.000Z``."""
        return stamp_of(self.now())


def stamp_of(moment: datetime) -> str:
    """Return a moment in the format of system fields, such as ``2024-01-15T10:30:00.000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
