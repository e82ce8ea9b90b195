"""The campaign itself: a seed decides everything, and its checks see what they look for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.campaign.invariants import violations
from tests.campaign.model import PlannedRun, make_scenario
from tests.campaign.world import World, living

SEED = 14


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing went wrong."""
    calm = replace(make_scenario(SEED), runs=[PlannedRun(resumes=False)], has_foreign_files=False)
    with living(calm, tmp_path) as lived:
        yield lived


def test_a_seed_decides_everything() -> None:
    """Input, settings, faults and crashes."""
    assert make_scenario(7) == make_scenario(7)
    assert make_scenario(7) != make_scenario(8)


def test_a_calm_world_holds_and_each_loss_is_seen(world: World) -> None:
    """An outcome too few or too many, a STATE too early, a traceback, a row that is gone."""
    (run,) = world.runs
    assert list(violations(world)) == []

    def seen() -> set[str]:
        return {violation.partition(":")[0] for violation in violations(world)}

    world.runs = [replace(run, outcomes=run.outcomes[1:])]
    assert seen() == {"STATE too early", "no outcome", "exit code 0 though incomplete"}

    keyed = next(record for record in run.pipeline.records if record.stream.operation == "upsert")
    again = next(outcome for outcome in run.outcomes if outcome.n == keyed.n)
    world.runs = [replace(run, outcomes=[*run.outcomes, again])]
    assert seen() == {"two outcomes"}

    world.runs = [replace(run, stderr="Traceback (most recent call last)\nKeyError: 1")]
    assert seen() == {"traceback"}

    world.runs = [run]
    sobject = keyed.stream.sobject
    world.org.delete(sobject, [row["Id"] for row in world.org.rows(sobject)])
    assert seen() == {"wrong value"}
