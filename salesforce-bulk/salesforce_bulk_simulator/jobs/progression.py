"""How fast jobs progress through their states."""

from __future__ import annotations

from dataclasses import dataclass

_STEPS_PER_STATE = 20
"""The steps into which a state's seconds are divided, so that work is not due all the time."""


@dataclass(frozen=True, kw_only=True)
class Progression:
    """The pace of jobs. Create it with ``immediate``, ``looks`` or ``seconds``."""

    looks_per_state: int = 0
    seconds_per_state: float = 0.0

    @classmethod
    def immediate(cls) -> Progression:
        """The first poll of a job finds it finished."""
        return cls()

    @classmethod
    def looks(cls, looks_per_state: int) -> Progression:
        """A job is queued for ``looks_per_state`` polls, in progress for as many, then finished."""
        return cls(looks_per_state=looks_per_state)

    @classmethod
    def seconds(cls, seconds_per_state: float) -> Progression:
        """A job is queued for that many seconds of the org's clock, in progress for as many, then finished."""
        return cls(seconds_per_state=seconds_per_state)

    @property
    def is_immediate(self) -> bool:
        return not self.looks_per_state and not self.seconds_per_state

    def share_done(self, *, polls: int, elapsed_s: float) -> float | None:
        """Return the share of a job's work that is done, 0.0 to 1.0; None while it is still queued.

        ``polls`` counts the polls of the job since it was queued, including the current one.

        >>> [Progression.looks(2).share_done(polls=n, elapsed_s=0.0) for n in range(1, 6)]
        [None, None, 0.0, 0.5, 1.0]
        """
        if self.looks_per_state:
            passed = (polls - 1) / self.looks_per_state
        elif self.seconds_per_state:
            passed = int(elapsed_s / self.seconds_per_state * _STEPS_PER_STATE) / _STEPS_PER_STATE
        else:
            return 1.0
        return None if passed < 1 else min(passed - 1, 1.0)
