"""When a request is tried again, and how long is waited before."""

from __future__ import annotations

import re

import pytest
from salesforce_bulk_client import ConnectionFailed, RequestRefused, RetryPolicy, ServerBusy
from salesforce_bulk_client.retries import Passing, delay_before_retry, with_retries


def busy(status: int = 503, retry_after_s: float | None = None) -> ServerBusy:
    """A busy server's answer."""
    return ServerBusy(status=status, code="", message="", request="GET limits", retry_after_s=retry_after_s)


def test_waits_double_up_to_the_longest() -> None:
    """Each wait is twice the one before, and at least half of it is waited."""
    policy = RetryPolicy(total_s=600)

    longest = [delay_before_retry(policy, attempt=n, error=busy(), is_repeatable=True, chance=1) for n in range(1, 10)]
    shortest = [delay_before_retry(policy, attempt=n, error=busy(), is_repeatable=True, chance=0) for n in (1, 2)]

    assert longest == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert shortest == [0.25, 0.5]


def test_a_longer_retry_after_wins() -> None:
    """The server knows best; but not past the time that all tries may take."""
    policy = RetryPolicy(total_s=100)

    def delay(retry_after_s: float) -> float | None:
        return delay_before_retry(policy, attempt=1, error=busy(429, retry_after_s), is_repeatable=True, chance=1)

    assert (delay(30), delay(0), delay(101)) == (30, 0.5, None)


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (ConnectionFailed("refused", may_have_worked=False), True),
        (ConnectionFailed("cut", may_have_worked=True), False),
        (busy(429), True),
        (busy(404), False),
        (busy(500), False),
        (busy(502), False),
        (busy(503), False),
        (busy(504), False),
    ],
)
def test_what_must_not_happen_twice_is_repeated_only_when_it_cannot_have_worked(
    error: Passing, *, is_tried_again: bool
) -> None:
    """A lost answer, or an error from behind a gateway, may hide a success."""
    delay = delay_before_retry(RetryPolicy(), attempt=1, error=error, is_repeatable=False, chance=1)

    assert (delay is not None) == is_tried_again


def test_passing_errors_are_tried_again_until_it_works() -> None:
    """The caller sees only the success."""
    errors: list[Exception] = [busy(), ConnectionFailed("cut")]

    def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert with_retries(RetryPolicy(first_wait_s=0.001), call, is_repeatable=True) == "done"
    assert errors == []


def test_other_errors_are_not_tried_again() -> None:
    """A refusal stays one."""
    tries = []

    def call() -> None:
        tries.append(1)
        raise RequestRefused(status=400, code="MALFORMED_QUERY", message="", request="POST jobs/query")

    with pytest.raises(RequestRefused):
        with_retries(RetryPolicy(first_wait_s=0.001), call, is_repeatable=True)
    assert len(tries) == 1


def test_the_last_error_comes_out_when_time_is_up() -> None:
    """Giving up tells the reason."""

    def call() -> None:
        raise ConnectionFailed("still down")

    with pytest.raises(ConnectionFailed, match="still down"):
        with_retries(RetryPolicy(total_s=0.05, first_wait_s=0.01), call, is_repeatable=True)


def test_the_first_wait_is_the_shortest_and_the_waits_double(caplog: pytest.LogCaptureFixture) -> None:
    """Most failures pass within a moment."""
    errors: list[Exception] = [busy() for _ in range(5)]

    def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    with_retries(RetryPolicy(first_wait_s=0.02), call, is_repeatable=True)

    lines = [re.search(r"trying again in", record.message) for record in caplog.records]
    waits = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert len(lines) == len(waits) == 5
    for wait, longest in zip(waits, (0.02, 0.04, 0.08, 0.16, 0.32), strict=True):
        assert isinstance(wait, float)
        assert longest / 2 <= wait <= longest


def test_tries_end_when_their_total_time_is_up() -> None:
    """Each wait is short, but all together are not endless."""
    tries = []

    def call() -> None:
        tries.append(1)
        assert len(tries) < 1000
        raise ConnectionFailed("still down")

    policy = RetryPolicy(total_s=0.05, first_wait_s=0.001, longest_wait_s=0.001)
    with pytest.raises(ConnectionFailed, match="still down"):
        with_retries(policy, call, is_repeatable=True)
    assert len(tries) > 2


def test_a_retry_is_logged_without_salesforces_words(caplog: pytest.LogCaptureFixture) -> None:
    """They may quote what was sent: a record's values, or a query's."""
    errors = [ServerBusy(status=500, code="UNKNOWN_EXCEPTION", message="near 'secret'", request="PATCH composite")]

    def call() -> None:
        if errors:
            raise errors.pop()

    with_retries(RetryPolicy(first_wait_s=0.001), call, is_repeatable=True)

    assert "PATCH composite answered 500 UNKNOWN_EXCEPTION; trying again in" in caplog.text
    assert "secret" not in caplog.text
