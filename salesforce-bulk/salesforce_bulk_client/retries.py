"""When to ask again, and how long to wait before: policy as data, the decision as one pure function."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import backoff

from salesforce_bulk_client import telemetry
from salesforce_bulk_client.errors import ConnectionFailed, ServerBusy
from salesforce_bulk_client.instruments import HTTP_RETRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

logger = logging.getLogger(__name__)

T = TypeVar("T")

Passing = ConnectionFailed | ServerBusy


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How patiently to ask again; all times in seconds.

    Before try ``n + 1`` the wait is a random part of ``first_wait_s * 2 ** (n - 1)``, but at least half of it
    and at most ``longest_wait_s``: 0.25-0.5, 0.5-1, 1-2 … 30-60 by default.
    """

    total_s: float = 600.0
    """All tries and waits of one request together (setting ``retry_total_s``)."""
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0


def delay_before_retry(
    policy: RetryPolicy, *, attempt: int, error: Passing, is_repeatable: bool, chance: float
) -> float | None:
    """Return the seconds to wait before trying again, or None to give up.

    ``attempt`` counts from 1; ``chance`` is a random number from 0 to 1. A request that must not be carried out
    twice is repeated only when it cannot have worked. A longer ``Retry-After`` wins; one past ``total_s`` means None.

    >>> busy = ServerBusy(status=503, code="", message="", request="GET limits")
    >>> [delay_before_retry(RetryPolicy(), attempt=n, error=busy, is_repeatable=True, chance=1) for n in (1, 2, 9)]
    [0.5, 1.0, 60.0]
    >>> lost = ConnectionFailed("cut", may_have_worked=True)
    >>> delay_before_retry(RetryPolicy(), attempt=1, error=lost, is_repeatable=False, chance=1) is None
    True
    """
    if error.may_have_worked and not is_repeatable:
        return None
    longest = min(policy.longest_wait_s, policy.first_wait_s * 2.0 ** min(attempt - 1, 30))
    delay = longest * (1 + chance) / 2
    asked_for = error.retry_after_s if isinstance(error, ServerBusy) else None
    if asked_for is not None:
        delay = max(delay, asked_for)
    return delay if delay <= policy.total_s else None


def with_retries(policy: RetryPolicy, call: Callable[[], T], *, is_repeatable: bool) -> T:
    """Return what ``call`` gives, calling it again while it fails for a passing reason.

    Raises: the last `ConnectionFailed` or `ServerBusy` when the policy gives up, anything else at once.
    """

    def waits() -> Generator[float, Passing, None]:
        attempt = 1
        error = yield 0.0
        while True:
            delay = delay_before_retry(
                policy, attempt=attempt, error=error, is_repeatable=is_repeatable, chance=random.random()
            )
            if delay is None:
                return
            attempt += 1
            error = yield delay

    def say(details: Any) -> None:
        error, wait_s = details["exception"], details["wait"]
        error_type = type(error).__name__
        telemetry.note(HTTP_RETRIES, 1, error_type=error_type)
        fields = {"error_type": error_type, "wait_s": round(wait_s, 1)}
        logger.warning("%s; trying again in %.1f s", error.for_log, wait_s, extra=fields)

    retrying = backoff.on_exception(
        waits,
        (ConnectionFailed, ServerBusy),
        max_time=policy.total_s,
        jitter=None,
        on_backoff=say,
        logger=None,
    )
    return retrying(call)()
