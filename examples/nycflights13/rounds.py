"""One round: from the warehouse to Salesforce, back again, and a look at what became of every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from salesforce_bulk_client import SalesforceClient

from examples.nycflights13.sandbox import Sandbox
from examples.nycflights13.verdict import Outcomes, Verdict, compare, read_outcomes

Step = Callable[[str], AbstractContextManager[object]]
"""Surrounds a piece of work that takes its time; is told what it is."""


OBJECTS = {"airlines": "Airline__c", "airports": "Airport__c", "planes": "Plane__c", "flights": "Flight__c"}


@dataclass(frozen=True, kw_only=True)
class ReadBack:
    """What came from Salesforce in one run."""

    seconds: float
    rows: dict[str, int]
    """By table."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round did."""

    outcomes: Outcomes
    """Of the rows that this round sent."""
    seconds_to_salesforce: float
    back: ReadBack
    in_salesforce: dict[str, int]
    """By table, how many records there are after this round."""
    verdicts: list[Verdict]
    """Of all rows, as they stand after this round."""


def run_round(sandbox: Sandbox, *, number: int, step: Step) -> Round:
    """Raises: CommandFailed if Meltano fails."""
    earlier = sandbox.outcome_files()
    with step("meltano run warehouse-to-salesforce"):
        seconds = sandbox.meltano("run", "warehouse-to-salesforce", log=f"{number}-warehouse-to-salesforce.log")
    with step("meltano run salesforce-to-warehouse"):
        back = read_back(sandbox, number=number)
    with step("compare the schemas warehouse and salesforce, row by row"):
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


def read_back(sandbox: Sandbox, *, number: int) -> ReadBack:
    """Run salesforce-to-warehouse.

    Raises: CommandFailed
    """
    log = f"{number}-salesforce-to-warehouse.log"
    seconds = sandbox.meltano("run", "salesforce-to-warehouse", log=log)
    # The tap closes each stream with a line such as "Airline__c: 16 records in 0.1 s".
    counts = dict(re.findall(r"(\w+): (\d+) records in", (sandbox.logs / log).read_text()))
    return ReadBack(seconds=seconds, rows={table: int(counts[sobject]) for table, sobject in OBJECTS.items()})


def count_records(client: SalesforceClient, *, sobject: str) -> int:
    """Return how many records of an object there are, without the deleted ones."""
    answer = client.get_json("query", params={"q": f"SELECT COUNT() FROM {sobject}"})
    return int(answer["totalSize"])
