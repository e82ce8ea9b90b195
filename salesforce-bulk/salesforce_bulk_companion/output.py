"""What commands print: with rich on a terminal, and as plain lines into a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from salesforce_bulk_plugin.formatting import printable

_LABEL_WIDTH = 10

FORMAT = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines to read, or data for a program.",
)
"""The option of commands that print either."""


def print_heading(text: str) -> None:
    """Print an empty line and a heading."""
    console = Console(highlight=False)
    console.print()
    console.print(Text(printable(text), style="bold")) if console.is_terminal else click.echo(printable(text))


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print one line per fact; one that is too long for a terminal goes on below its beginning."""
    console = Console(highlight=False)
    facts = list(facts)
    width = max([_LABEL_WIDTH, *(len(label) for label, _ in facts)])
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="cyan", min_width=width)
    grid.add_column(overflow="fold")
    for label, text in facts:
        if console.is_terminal:
            grid.add_row(label, Text(printable(text)))
        else:
            click.echo(f"{label:<{width}} {printable(text)}".rstrip())
    if console.is_terminal:
        console.print(grid)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[str] = ()) -> None:
    """Print a table; the columns named by ``numbers`` stand to the right."""
    console = Console(highlight=False)
    texts = [[printable(cell) for cell in row] for row in rows]
    if console.is_terminal:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for place, name in enumerate(head):
            # The first names the row: it stays whole, to be copied.
            table.add_column(name, justify="right" if name in numbers else "left", overflow="fold", no_wrap=place == 0)
        for row in texts:
            table.add_row(*map(Text, row))
        console.print(table)
        return
    widths = [max(map(len, column)) for column in zip(head, *texts, strict=True)]
    for row in [list(head), *texts]:
        cells = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for name, cell, width in zip(head, row, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def print_problem(text: str, *, advice: str = "") -> None:
    """Print an error, and what to do about it, to stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    line = f"Error: {printable(text)}"
    console.print(Text(line, style="red")) if console.is_terminal else click.echo(line, err=True)
    if advice:
        click.echo(f"       {advice}", err=True)


def ask(question: str) -> None:
    """Go on only if the user says yes.

    Raises: click.UsageError where there is no terminal to ask at; click.Abort for a no.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at: say --yes")
    click.confirm(question, abort=True, err=True)
