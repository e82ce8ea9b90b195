"""Benchmarks of the tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import peers
from tests.benchmarks.bench import FEW, Answer, Bench, Goal, Run, floor
from tests.benchmarks.measuring import ROOT, Command, Failed, Site, in_turn, run, simulator
from tests.simulator.peers.installed import CannotInstall

Maker = Callable[[str], Command]
"""Makes the command that reads an object."""

MANY, FEW_ROWS = "Bench__c", "Few__c"
PAGE_S = 0.2
PAGE_ROWS = 500


def records(bench: Bench) -> Answer:
    """RECORD messages and BATCH files to nowhere, beside the floor and the peers."""
    rows = [f"{MANY}={bench.size.records}", f"{FEW_ROWS}={FEW}"]
    with simulator(bench.folder, "--rows", *rows) as site:
        makers = {
            "floor": _floor(bench, site),
            "ours": _ours(bench, site),
            "floor, jsonl.gz": _floor(bench, site, "--gzip"),
            "ours, BATCH jsonl.gz": _ours(bench, site, batch_config=_jsonl_gz(bench.folder / "batches")),
            **dict(_peers(bench, site)),
        }
        runs = bench.race("tap", makers, few=FEW_ROWS, many=MANY)
    return Answer(runs=list(runs.values()), goals=list(_goals(runs)))


def _goals(runs: dict[str, Run]) -> Iterator[Goal]:
    lowest, ours = runs["floor"], runs["ours"]
    share = lowest.per_record_us / ours.per_record_us
    whole = lowest.whole.cpu_s / ours.whole.cpu_s
    yield Goal(
        what="tap, RECORD messages",
        goal="≥ 0.6 of the floor",
        measured=f"{share:.2f} (whole process, with its start: {whole:.2f})",
        is_met=share >= 0.6,
    )
    for key, peer in runs.items():
        if not key.startswith(("floor", "ours")):
            times = ours.per_cpu_second / peer.per_cpu_second
            beyond_start = peer.per_record_us / ours.per_record_us
            yield Goal(
                what="tap, RECORD messages",
                goal=f"≥ 20 times {key}, per CPU-second",
                measured=f"{times:.1f} times (less the start of both {beyond_start:.1f})",
                is_met=times >= 20,
            )
    gzip_us = runs["floor, jsonl.gz"].per_record_us - lowest.per_record_us
    batch_us = runs["ours, BATCH jsonl.gz"].per_record_us
    yield Goal(
        what="tap, BATCH jsonl.gz",
        goal="≥ RECORD less the cost of gzip",
        measured=f"{batch_us:.1f} µs a record; RECORD {ours.per_record_us:.1f}, gzip of the same lines {gzip_us:.1f}",
        is_met=batch_us <= (ours.per_record_us + gzip_us) * 1.1,
    )


def _floor(bench: Bench, site: Site, *options: str) -> Maker:
    config = bench.config("floor")
    return lambda sobject: Command(
        name="floor", words=floor("floor_of_tap", config, sobject, *options), environment=site.environment, folder=ROOT
    )


def _ours(bench: Bench, site: Site, **settings: object) -> Maker:
    name = "batch" if settings else "record"
    return lambda sobject: bench.tap(f"{name}-{sobject}", site.environment, streams_to_discover=[sobject], **settings)


def _jsonl_gz(folder: Path) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    return {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": f"file://{folder}"}}


def _peers(bench: Bench, site: Site) -> Iterator[tuple[str, Maker]]:
    if not bench.has_peers:
        return
    try:
        bench.tell("Airbyte's source, which may have to be installed first")
        yield "airbyte-source-salesforce", peers.airbyte(site, bench.folder)
        if bench.tap_checkout:
            yield "MeltanoLabs tap-salesforce", peers.meltanolabs_tap(bench.tap_checkout, site, bench.folder)
    except (CannotInstall, Failed) as error:
        bench.tell(f"a peer cannot be measured: {error}")


def discovery(bench: Bench) -> Answer:
    """Many objects described, and what that costs beyond downloading and parsing."""
    count = bench.size.objects
    with simulator(bench.folder, "--copies", str(count)) as site:
        config = bench.config("floor")
        commands = [
            bench.tap("discover one", site.environment, "--discover", streams_to_discover=["Copy0000__c"]),
            bench.tap("discover all", site.environment, "--discover", streams_to_discover=["Copy*"]),
            *(
                Command(
                    name=name,
                    words=floor("floor_of_discovery", config, prefix),
                    environment=site.environment,
                    folder=ROOT,
                )
                for name, prefix in (("parse one", "Copy0000__c"), ("parse all", "Copy"))
            ),
        ]
        found = in_turn(commands, rounds=bench.size.rounds, tell=bench.tell)
    own = found["discover all"].cpu_s - found["discover one"].cpu_s
    parsing = found["parse all"].cpu_s - found["parse one"].cpu_s
    seconds = (own - parsing) / (count - 1) * 1000
    wall = found["discover all"].wall_s - found["discover one"].wall_s
    goal = Goal(
        what=f"tap, discovery of {count:,} objects",
        goal="≤ 1 CPU-second per 1,000 describes beyond JSON parsing",
        measured=f"{seconds:.2f} s (all {own / (count - 1) * 1000:.2f} s, downloading and parsing alone"
        f" {parsing / (count - 1) * 1000:.2f} s; wall {wall:.1f} s)",
        is_met=seconds <= 1,
    )
    return Answer(goals=[goal])


def ten_objects(bench: Bench) -> Answer:
    """Ten objects whose jobs take long, beside one of them."""
    job_s = bench.size.job_s
    rows = [f"Copy{number:04d}__c={FEW}" for number in range(10)]
    with simulator(bench.folder, "--copies", "10", "--rows", *rows, "--job-seconds", str(job_s)) as site:

        def wall_s(pattern: str, jobs: int) -> float:
            bench.tell(f"{pattern}, {jobs} jobs at once")
            # Looks that come ever less often would blur what is measured.
            settings = {"max_concurrent_jobs": jobs, "poll_max_s": 1}
            return run(bench.tap("jobs", site.environment, streams_to_discover=[pattern], **settings)).wall_s

        one, ten, five = wall_s("Copy0000__c", 10), wall_s("Copy*", 10), wall_s("Copy*", 5)
    goal = Goal(
        what=f"tap, 10 objects whose jobs take {job_s:g} s",
        goal="≤ 1.3 times one job",
        measured=f"{ten / one:.2f} times with max_concurrent_jobs 10; {five / one:.2f} times with 5"
        f" ({one:.1f} s, {ten:.1f} s, {five:.1f} s)",
        is_met=ten <= 1.3 * one,
    )
    return Answer(goals=[goal])


def slow_pages(bench: Bench) -> Answer:
    """Result pages that each take long to come, one after another and four at a time."""
    rows = [f"{MANY}={bench.size.pages * PAGE_ROWS}", f"{FEW_ROWS}={FEW}"]
    with simulator(bench.folder, "--rows", *rows, "--page-seconds", str(PAGE_S)) as site:

        def wall_s(sobject: str, downloads: int) -> float:
            bench.tell(f"slow pages of {sobject}, {downloads} at a time")
            settings = {"page_size": PAGE_ROWS, "max_concurrent_downloads": downloads, "login_url": site.url}
            return run(bench.tap("pages", {}, streams_to_discover=[sobject], **settings)).wall_s

        start = wall_s(FEW_ROWS, 1) - PAGE_S
        one, four = (wall_s(MANY, downloads) - start for downloads in (1, 4))
    goal = Goal(
        what=f"tap, {bench.size.pages} pages with {PAGE_S * 1000:.0f} ms latency each",
        goal="≥ 3.5 times one after another with 4 downloads",
        measured=f"{one / four:.2f} times ({one:.1f} s, {four:.1f} s; start {start:.1f} s)",
        is_met=one / four >= 3.5,
    )
    return Answer(goals=[goal])
