"""Seeds of the campaign that once showed a fault stay good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.trial import try_seed

SEEDS = [
    int(line.split()[0])
    for line in Path(__file__).with_name("seeds.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_that_once_failed_holds(seed: int) -> None:
    """Nothing is lost, doubled or reported twice, whatever this seed does to the target."""
    result = try_seed(seed)

    assert result.violations == []
