"""Neither plugin falls far behind the least that its work takes, as `scripts/bench` measures it in earnest.

CPU time against CPU time, in one run on one machine, and by a margin that no busy machine eats up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from salesforce_bulk_simulator import Org, running

from tests.benchmarks.bench import FEW, QUICK, Bench, floor
from tests.benchmarks.loading import write_lines
from tests.benchmarks.measuring import ROOT, Command
from tests.benchmarks.rows import OBJECTS, fill

RECORDS = 10_000


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A small benchmark."""
    return Bench(size=replace(QUICK, records=RECORDS), folder=tmp_path, tell=lambda _: None)


@pytest.fixture
def site_url() -> Iterator[str]:
    """An org with the benchmarks' objects and rows."""
    org = Org(objects=[OBJECTS])
    fill(org, "Bench__c", RECORDS)
    fill(org, "Few__c", FEW)
    with running(org) as url:
        yield url


def test_the_tap_is_near_the_floor(bench: Bench, site_url: str) -> None:
    """A record costs the tap less than six times what the plain loop takes for it; we aim at less than twice."""
    config = bench.config("floor", login_url=site_url)

    def lowest(sobject: str) -> Command:
        return Command(name="floor", words=floor("floor_of_tap", config, sobject), folder=ROOT)

    def ours(sobject: str) -> Command:
        return bench.tap(sobject, {}, login_url=site_url, streams_to_discover=[sobject])

    runs = bench.race("tap", {"floor": lowest, "ours": ours}, few="Few__c", many="Bench__c")

    assert runs["floor"].per_record_us / runs["ours"].per_record_us > 0.15


def test_the_target_is_near_the_floor(bench: Bench, site_url: str) -> None:
    """A record and its outcome cost the target less than 15 times what decoding it and writing a CSV row take."""
    folder = str(bench.folder)

    def lowest(count: int) -> Command:
        words = floor("floor_of_target", folder)
        return Command(name="floor", words=words, stdin=write_lines(bench, count), folder=ROOT)

    def ours(count: int) -> Command:
        lines = write_lines(bench, count)
        return bench.target(str(count), {}, lines=lines, login_url=site_url, operation="insert")

    runs = bench.race("target", {"floor": lowest, "ours": ours}, few=FEW, many=RECORDS)

    assert runs["floor"].per_record_us / runs["ours"].per_record_us > 0.07
