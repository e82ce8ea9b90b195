"""The tables that the demo shows."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from examples.nycflights13.rounds import Round

STATUSES = ("created", "updated", "failed", "unprocessed")
COUNTS = {
    "in warehouse": "in_warehouse",
    "refused": "refused",
    "back": "back",
    "equal": "equal",
    "different": "different",
    "deleted in Salesforce": "deleted",
    "lost": "lost",
}
"""The verdict's columns: heading and attribute."""


def show_round(console: Console, done: Round) -> None:
    """Show what a round did to the rows it sent, why some were refused, and how all rows stand."""
    moved = _table("sent to Salesforce", *STATUSES, "read back")
    for table, counts in done.outcomes.counts.items():
        _add(moved, table, [*(counts[status] for status in STATUSES), done.read_back[table]])
    console.print(moved)

    if done.outcomes.reasons:
        reasons = _table("refused because", "rows")
        for reason, count in done.outcomes.reasons.most_common(5):
            _add(reasons, reason, [count])
        console.print(reasons)

    verdict = _table("warehouse against Salesforce", *COUNTS)
    for row in done.verdicts:
        _add(verdict, row.table, [getattr(row, name) for name in COUNTS.values()])
    totals = [sum(getattr(row, name) for row in done.verdicts) for name in COUNTS.values()]
    _add(verdict, "total", totals, style="bold")
    console.print(verdict)


def _table(first: str, *numbers: str) -> Table:
    table = Table(title_justify="left")
    table.add_column(first)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _add(table: Table, name: str, numbers: list[int], *, style: str | None = None) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers), style=style)
