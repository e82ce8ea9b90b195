"""One round: from the warehouse to Salesforce, back again, and a look at what became of every row."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from examples.nycflights13.sandbox import Sandbox
from examples.nycflights13.verdict import Outcomes, Verdict, compare, read_outcomes

Step = Callable[[str], AbstractContextManager[object]]
"""Surrounds a piece of work that takes its time; is told what it is."""


OBJECTS = {"airlines": "Airline__c", "airports": "Airport__c", "planes": "Plane__c", "flights": "Flight__c"}


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round did."""

    outcomes: Outcomes
    """Of the rows that this round sent."""
    read_back: dict[str, int]
    """By table, how many records this round read from Salesforce."""
    verdicts: list[Verdict]
    """Of all rows, after this round."""
    seconds_to_salesforce: float
    seconds_to_warehouse: float


def run_round(sandbox: Sandbox, *, number: int, step: Step) -> Round:
    """Raises: CommandFailed if Meltano fails."""
    earlier = sandbox.outcome_files()
    with step("meltano run warehouse-to-salesforce"):
        seconds_to_salesforce = sandbox.meltano(
            "run", "warehouse-to-salesforce", log=f"{number}-warehouse-to-salesforce.log"
        )
    with step("meltano run salesforce-to-warehouse"):
        log_back = f"{number}-salesforce-to-warehouse.log"
        seconds_to_warehouse = sandbox.meltano("run", "salesforce-to-warehouse", log=log_back)
    with step("Compare the schemas warehouse and salesforce, row by row"):
        files = sandbox.outcome_files()
        verdicts = compare(sandbox.database_url, refused=read_outcomes(files).refused)
    return Round(
        outcomes=read_outcomes([file for file in files if file not in earlier]),
        read_back=_read_back(sandbox.logs / log_back),
        verdicts=verdicts,
        seconds_to_salesforce=seconds_to_salesforce,
        seconds_to_warehouse=seconds_to_warehouse,
    )


def _read_back(log: Path) -> dict[str, int]:
    """Read the tap's closing line of each stream, such as ``Airline__c: 16 records in 0.1 s``."""
    counts = dict(re.findall(r"(\w+): (\d+) records in", log.read_text()))
    return {table: int(counts[name]) for table, name in OBJECTS.items()}
