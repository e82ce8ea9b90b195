"""One round: from the warehouse to Salesforce, back again, and a look at what became of every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from salesforce_bulk_client import SalesforceClient

from examples.nycflights13.sandbox import Sandbox
from examples.nycflights13.verdict import Outcomes, Verdict, compare, read_outcomes

Rows = Callable[[], int]
"""Returns how many rows have come through so far."""

Step = Callable[[str, Rows | None], AbstractContextManager[object]]
"""Surrounds a piece of work that takes its time; is told what it is, and asks how far it is."""


OBJECTS = {"airlines": "Airline__c", "airports": "Airport__c", "planes": "Plane__c", "flights": "Flight__c"}


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """What came from Salesforce in one run."""

    seconds: float
    """Without Meltano's own start."""
    rows: dict[str, int]
    """By table."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round did."""

    outcomes: Outcomes
    """Of the rows that this round sent."""
    seconds_to_salesforce: float
    """Without Meltano's own start."""
    back: ReadBack
    in_salesforce: dict[str, int]
    """By table, how many records there are after this round."""
    verdicts: list[Verdict]
    """Of all rows, as they stand after this round."""


def run_round(sandbox: Sandbox, *, number: int, step: Step) -> Round:
    """Raises: CommandFailed if Meltano fails."""
    earlier = sandbox.outcome_files()
    log = f"{number}-warehouse-to-salesforce.log"
    with step("meltano run warehouse-to-salesforce", lambda: _outcomes_beside(earlier, sandbox=sandbox)):
        sandbox.meltano("run", "warehouse-to-salesforce", log=log)
    seconds = seconds_at_work((sandbox.logs / log).read_text())
    back = read_back(sandbox, number=number, step=step)
    with step("compare the schemas warehouse and salesforce, row by row", None):
        files = sandbox.outcome_files()
        with sandbox.salesforce() as client:
            in_salesforce = {table: count_records(client, sobject=sobject) for table, sobject in OBJECTS.items()}
        verdicts = compare(sandbox.database_url, refused=read_outcomes(files).refused)
    return Round(
        outcomes=read_outcomes([file for file in files if file not in earlier]),
        seconds_to_salesforce=seconds,
        back=back,
        in_salesforce=in_salesforce,
        verdicts=verdicts,
    )


def read_back(sandbox: Sandbox, *, number: int, step: Step) -> ReadBack:
    """Run salesforce-to-warehouse.

    Raises: CommandFailed
    """
    log = sandbox.logs / f"{number}-salesforce-to-warehouse.log"
    with step("meltano run salesforce-to-warehouse", lambda: sum(_records_read(log).values())):
        sandbox.meltano("run", "salesforce-to-warehouse", log=log.name)
    counts = _records_read(log)
    return ReadBack(
        seconds=seconds_at_work(log.read_text()), rows={table: counts[sobject] for table, sobject in OBJECTS.items()}
    )


def _records_read(log: Path) -> dict[str, int]:
    """Return how many records the tap has read by its log: "Flight__c: 200,000 of 336,776 records" now and then."""
    if not log.exists():
        return {}
    counts = re.findall(r"(\w+__c): ([\d,]+) (?:of [\d,]+ )?records", log.read_text(errors="replace"))
    return {sobject: int(count.replace(",", "")) for sobject, count in counts}


def _outcomes_beside(earlier: list[Path], *, sandbox: Sandbox) -> int:
    """Return how many records have their outcome in files that were not there before."""
    new = [file for file in sandbox.outcome_files() if file not in earlier]
    return sum(file.read_bytes().count(b"\n") for file in new)


def seconds_at_work(log: str) -> float:
    r"""Return for how long tap and target were at work, by a log of Meltano's; its own start is left out.

    >>> seconds_at_work(
    ...     "2026-01-15T10:30:00.5Z [info ] meltano Environment 'dev' is active\n"
    ...     "2026-01-15T10:30:09.0Z [info ] tap Beginning sync of 'a'\n"
    ...     "2026-01-15T10:30:10.0Z [info ] tap Beginning sync of 'b'\n"
    ...     "2026-01-15T10:30:11.5Z [info ] meltano Block run completed\n"
    ... )
    2.5
    """
    seconds, began_at = 0.0, None
    for time, what in re.findall(r"^(\S+) .*(Beginning sync of|Block run completed)", log, re.MULTILINE):
        at = datetime.fromisoformat(time)
        if what.startswith("Beginning"):
            began_at = began_at or at
        elif began_at:
            seconds += (at - began_at).total_seconds()
            began_at = None
    return seconds


def count_records(client: SalesforceClient, *, sobject: str) -> int:
    """Return how many records of an object there are, without the deleted ones."""
    answer = client.get_json("query", params={"q": f"SELECT COUNT() FROM {sobject}"})
    return int(answer["totalSize"])
