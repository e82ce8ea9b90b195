"""The tables that the demo shows."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from examples.nycflights13.rounds import Round

STATUSES = ("created", "updated", "failed", "unprocessed")


def show_round(console: Console, done: Round) -> None:
    """Show what a round did to the rows it sent, why some were refused, and how all rows stand."""
    moved = _table("sent to Salesforce", *STATUSES, "read back")
    for table, counts in done.outcomes.counts.items():
        _add(moved, table, [*(counts[status] for status in STATUSES), done.back.rows[table]])
    console.print(moved)
    sent, read = sum(counts.total() for counts in done.outcomes.counts.values()), sum(done.back.rows.values())
    console.print(
        f"  {sent:,} rows went to Salesforce in {done.seconds_to_salesforce:.1f} s"
        f" and {read:,} came back in {done.back.seconds:.1f} s, Meltano's own start included.\n",
        highlight=False,
    )

    if done.outcomes.reasons:
        reasons = _table("refused by Salesforce", "rows")
        for reason, count in done.outcomes.reasons.most_common(5):
            _add(reasons, reason, [count])
        console.print(reasons)

    console.print(_verdict_table(done))


def _verdict_table(done: Round) -> Table:
    headings = ("warehouse", "refused", "Salesforce", "back", "equal", "differ", "deleted", "lost")
    shown = _table("row by row", *headings)
    lines = [
        [
            verdict.in_warehouse,
            verdict.refused,
            done.in_salesforce[verdict.table],
            verdict.back,
            verdict.equal,
            verdict.different,
            verdict.deleted,
            verdict.lost,
        ]
        for verdict in done.verdicts
    ]
    for verdict, line in zip(done.verdicts, lines, strict=True):
        _add(shown, verdict.table, line)
    _add(shown, "total", [sum(column) for column in zip(*lines, strict=True)], style="bold")
    return shown


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))  # fits 80 columns
    table.add_column(first)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, name: str, numbers: list[int], *, style: str | None = None) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers), style=style)
