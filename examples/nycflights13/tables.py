"""The tables that the demo shows."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from examples.nycflights13.rounds import Round

STATUSES = ("created", "updated", "failed", "unprocessed")


def show_round(console: Console, done: Round) -> None:
    """Show what a round did to the rows it sent, why some were refused, and how all rows stand."""
    moved = _table("this round", *STATUSES, "read back")
    for table, counts in done.outcomes.counts.items():
        _add(moved, table, [*(counts[status] for status in STATUSES), done.back.rows[table]])
    console.print("", _indented(moved), "", sep="\n")

    sent, read = sum(counts.total() for counts in done.outcomes.counts.values()), sum(done.back.rows.values())
    say(
        console,
        f"{sent:,} rows went to Salesforce in {done.seconds_to_salesforce:.1f} s, and {read:,} came back in"
        f" {done.back.seconds:.1f} s; the seconds in which Meltano starts are not counted.",
    )
    for reason, count in done.outcomes.reasons.most_common(5):
        say(console, f"{count:,} rows were refused: {reason}")
    console.print("", _indented(_verdict_table(done)), "", sep="\n")


def say(console: Console, text: str) -> None:
    """Print an indented paragraph, broken between words where the terminal ends."""
    console.print(_indented(Text.from_markup(text)), highlight=False)


def _verdict_table(done: Round) -> Table:
    headings = ("warehouse", "refused", "Salesforce", "back", "equal", "differ", "deleted", "lost")
    shown = _table("all rows", *headings)
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
    table = Table(box=None, padding=(0, 1, 0, 0))  # so narrow that a whole year fits 80 columns
    table.add_column(first)
    for heading in numbers:
        table.add_column(heading, justify="right")
    return table


def _add(table: Table, name: str, numbers: list[int], *, style: str | None = None) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers), style=style)


def _indented(content: Table | Text) -> Padding:
    return Padding(content, (0, 0, 0, 2))
