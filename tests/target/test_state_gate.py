"""STATE passes when all that was pending before it is done, and no earlier."""

from __future__ import annotations

from target_salesforce_bulk.messages.state_gate import StateGate


def test_a_state_with_nothing_before_it_passes_at_once() -> None:
    """As does the next, unless it says the same."""
    passed: list[str] = []
    gate = StateGate(passed.append)

    gate.hold({"n": 1})
    gate.hold({"n": 1})
    gate.hold({"n": 2})

    assert passed == ['{"n":1}\n', '{"n":2}\n']


def test_only_the_newest_that_may_pass_is_written() -> None:
    """Work that ends out of order holds everything after it; what it frees is overtaken by the newest."""
    passed: list[str] = []
    gate = StateGate(passed.append)
    gate.begin("a")
    gate.hold(1)
    gate.begin("b")
    gate.hold(2)
    gate.begin("c")
    gate.hold(3)

    gate.release("b")
    assert passed == []
    gate.release("a")
    assert passed == ["2\n"]
    gate.release("c")
    assert passed == ["2\n", "3\n"]


def test_states_that_wait_for_the_same_are_one() -> None:
    """A tap that writes STATE after each record costs no memory."""
    gate = StateGate(lambda _: None)
    gate.begin("a")

    for n in range(1000):
        gate.hold(n)

    assert len(gate._held) == 1


def test_work_that_never_ends_well_holds_state_for_good() -> None:
    """Later work that is done does not help."""
    passed: list[str] = []
    gate = StateGate(passed.append)
    gate.begin("bad")
    gate.begin("good")
    gate.hold(1)

    gate.release("good")

    assert passed == []
