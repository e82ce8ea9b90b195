"""The campaign itself: a seed decides everything, and its checks see what they look for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.campaign.invariants import violations
from tests.campaign.model import PlannedFault, PlannedRun, fills_only_lookups, make_scenario
from tests.campaign.world import World, living

SEED = 14
SEED_WITH_PARENTS = 3047


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing went wrong."""
    calm = replace(make_scenario(SEED), runs=[PlannedRun(resumes=False)], has_foreign_files=False)
    with living(calm, tmp_path) as lived:
        yield lived


@pytest.fixture
def hierarchy(tmp_path: Path) -> Iterator[World]:
    """A world with parents that are missing, in which second passes are refused."""
    scenario = make_scenario(SEED_WITH_PARENTS)
    refused = PlannedFault(operation="ingest.close", name="lock_rows", options={"where": fills_only_lookups}, times=50)
    settings = {**scenario.main.settings, "small_batch_rows": 0}
    main = replace(scenario.main, settings=settings)
    runs = [PlannedRun(resumes=False, faults=[refused])]
    with living(replace(scenario, main=main, runs=runs, has_foreign_files=False), tmp_path) as lived:
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


def test_what_is_wrong_with_parents_and_outstanding_records_is_seen(hierarchy: World) -> None:
    """A record that is not on the list, a lookup that is not, a parent that is another one."""
    run = hierarchy.runs[-1]
    assert list(violations(hierarchy)) == []
    assert hierarchy.org.faults.completed or run.outstanding

    def seen(**changes: Any) -> set[str]:
        hierarchy.runs[-1] = replace(run, **changes)
        return {violation.partition(":")[0] for violation in violations(hierarchy)}

    assert any(each.is_lookup for each in run.outstanding)
    assert any(not each.is_lookup for each in run.outstanding)
    assert "lookups outstanding" in seen(outstanding=[each for each in run.outstanding if not each.is_lookup])
    assert "not outstanding" in seen(outstanding=[each for each in run.outstanding if each.is_lookup])
    assert "exit code 0 though outstanding" in seen(exit_code=0)
    wrong = [replace(each, record={**each.record, "x": 1}, key="none") for each in run.outstanding]
    assert seen(outstanding=wrong)
    hierarchy.runs[-1] = run
    [row, *_] = [row for row in hierarchy.org.rows("Account") if row["ParentId"]]
    hierarchy.org.update("Account", [{"Id": row["Id"], "ParentId": None}])
    assert {violation.partition(":")[0] for violation in violations(hierarchy)} == {"wrong value"}
