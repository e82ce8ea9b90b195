"""One round: from the warehouse to Salesforce, back again, and a look at what became of every row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from examples.nycflights13.sandbox import Sandbox
from examples.nycflights13.verdict import Outcomes, Verdict, compare, read_outcomes

Step = Callable[[str], AbstractContextManager[object]]
"""Surrounds a piece of work that takes its time; is told what it is."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round did."""

    outcomes: Outcomes
    """Of the rows that this round sent."""
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
        seconds_to_warehouse = sandbox.meltano(
            "run", "salesforce-to-warehouse", log=f"{number}-salesforce-to-warehouse.log"
        )
    with step("Compare the schemas warehouse and salesforce, row by row"):
        files = sandbox.outcome_files()
        verdicts = compare(sandbox.database_url, refused=read_outcomes(files).refused)
    return Round(
        outcomes=read_outcomes([file for file in files if file not in earlier]),
        verdicts=verdicts,
        seconds_to_salesforce=seconds_to_salesforce,
        seconds_to_warehouse=seconds_to_warehouse,
    )
