"""The demo as it is told on the screen: two rounds between a warehouse and Salesforce, with changes in between."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from examples.nycflights13.changes import RENAMED_AIRLINE, Flights, change_salesforce, change_warehouse
from examples.nycflights13.rounds import Round, Rows, read_back, run_round
from examples.nycflights13.sandbox import PLUGINS, PROJECT, Sandbox, running_sandbox
from examples.nycflights13.tables import say, show_round
from examples.nycflights13.warehouse import fill_warehouse

FIRST_DAYS = date(2013, 1, 3)
"""Where the short demo ends: all parents, 2,699 flights, 436 of them of planes that nobody knows."""

WHOLE_YEAR = date(2013, 12, 31)

CHANGED_IN_SALESFORCE = [("airlines", 1, 0), ("flights", 0, 1)]
"""What `change_salesforce` makes of the verdict: per table the rows that differ, and those that are deleted."""


def tell(console: Console, *, folder: Path, last_day: date, is_kept_open: bool) -> bool:
    """Run the demo; gives whether all came out as it should. ``folder`` is emptied first.

    Raises: DemoFailed
    """
    step = partial(_step, console)
    shutil.rmtree(folder, ignore_errors=True)
    console.print("[bold]nycflights13: from a PostgreSQL warehouse into Salesforce and back, by Meltano[/]\n")
    with ExitStack() as servers:
        with step("start an embedded PostgreSQL and the Salesforce simulator", None):
            sandbox = servers.enter_context(running_sandbox(folder))
        with step(f"fill the schema warehouse with nycflights13, up to {last_day}", None):
            fill_warehouse(sandbox.database_url, last_day=last_day)
        with step("meltano install (the first time it takes longer)", None):
            sandbox.meltano("install", *PLUGINS, log="0-install.log")

        console.print("\n[bold]First round: everything[/]")
        first = run_round(sandbox, number=1, step=step)
        show_round(console, first)
        say(
            console,
            "The refused flights name a plane or an airport that is in no table, so their lookups cannot be filled."
            " By default the target loads all else and then ends with exit code 1; dev.meltano.yml sets"
            " [bold]on_record_failure: ignore[/] for this environment, so that Meltano continues.",
        )
        _show_report(console, sandbox=sandbox)

        console.print("\n[bold]People work on both sides[/]")
        flights, to_san_juan = change_warehouse(sandbox.database_url)
        with sandbox.salesforce() as client:
            change_salesforce(client, flights=flights)
        _show_changes(console, flights=flights, to_san_juan=to_san_juan)

        console.print("\n[bold]Second round: only what changed[/]")
        second = run_round(sandbox, number=2, step=step)
        show_round(console, second)

        console.print("\n[bold]Once more: nothing changed[/]")
        third = read_back(sandbox, number=3, step=step)
        say(
            console,
            f"{sum(third.rows.values()):,} rows were read. Salesforce stamps whole seconds, so the second of a"
            " bookmark is always read again. In the second round much had been loaded within such a second.",
        )

        is_good = _is_as_it_should_be(first, second)
        _show_end(console, sandbox=sandbox, is_good=is_good)
        if is_kept_open:
            _wait_for_enter(console, sandbox=sandbox)
    return is_good


@contextmanager
def _step(console: Console, what: str, rows: Rows | None) -> Iterator[None]:
    begin = time.monotonic()
    with console.status(_UnderWay(what, rows)):
        yield
    console.print(f"  [green]done[/] {what} [dim]{time.monotonic() - begin:.1f} s[/]", highlight=False)


class _UnderWay:
    """What is shown of a step while it runs: what it is, for how long, and how many rows have come through."""

    def __init__(self, what: str, rows: Rows | None) -> None:
        self._what = what
        self._rows = rows
        self._began_at = time.monotonic()
        self._looked_at = 0.0
        self._number = 0

    def __rich__(self) -> str:
        """Return the text for now; rows are counted once a second."""
        now = time.monotonic()
        if self._rows and now - self._looked_at >= 1:
            self._looked_at, self._number = now, self._rows()
        rows = f", {self._number:,} rows" if self._number else ", Meltano starts" if self._rows else ""
        return f"{self._what} [dim]{now - self._began_at:.0f} s{rows}[/]"


def _show_report(console: Console, *, sandbox: Sandbox) -> None:
    """Show what the companion says of the run that has loaded the flights."""
    folder = _from_project(sandbox.folder)
    console.print(f"\n  [bold]salesforce-bulk report {folder}/outcomes --format text --samples 1[/]", highlight=False)
    head, *blocks = sandbox.report("--format", "text", "--last", "1", "--samples", "1").split("\n\n")
    shown = [block for block in blocks if block.startswith(("Streams", "Why records"))]
    for line in "\n\n".join([head, *shown]).splitlines():
        text = line.lstrip()
        console.print(Padding(Text(text), (0, 0, 0, 4 + len(line) - len(text))), highlight=False)


def _show_changes(console: Console, *, flights: Flights, to_san_juan: int) -> None:
    code, name = RENAMED_AIRLINE
    changes = Table.grid(padding=(0, 1))
    for where, what in (
        ("warehouse", f"airport SJU, San Juan, is added; {to_san_juan} flights go there and are sent again"),
        ("warehouse", f"flight {flights.corrected} gets a longer delay, and its air time becomes null"),
        ("Salesforce", f"airline {code} is renamed to {name}: from now on the two sides differ in this row"),
        ("Salesforce", f"flight {flights.given_a_gate} gets a gate, a field that the warehouse does not know"),
        ("Salesforce", f"flight {flights.deleted} is deleted"),
    ):
        changes.add_row(f"[bold]{where}[/]", what)
    console.print(Padding(changes, (0, 0, 0, 2)), highlight=False)


def _is_as_it_should_be(first: Round, second: Round) -> bool:
    """Each row has one outcome, none is lost, and the two sides differ in what was changed in Salesforce alone."""
    outcomes = first.outcomes.counts
    return (
        all(outcomes[verdict.table].total() == verdict.in_warehouse for verdict in first.verdicts)
        and not any(verdict.lost for verdict in [*first.verdicts, *second.verdicts])
        and _differences(first) == []
        and _differences(second) == CHANGED_IN_SALESFORCE
    )


def _differences(done: Round) -> list[tuple[str, int, int]]:
    """Give the tables in which rows differ, or are deleted in Salesforce, and how many of each."""
    return [(row.table, row.different, row.deleted) for row in done.verdicts if row.different or row.deleted]


def _show_end(console: Console, *, sandbox: Sandbox, is_good: bool) -> None:
    sandbox.report()
    if is_good:
        verdict = "[bold green]As it should be:[/] every row is back and equal, or refused, or changed in Salesforce"
    else:
        verdict = "[bold red]Not as it should be:[/] the tables above say where"
    folder = _from_project(sandbox.folder)
    console.print(f"\n{verdict}\n", highlight=False)
    _show_pairs(
        console,
        "Look at",
        {
            f"{folder}/outcomes/report.html": "what each load did, for a browser",
            f"{folder}/outcomes/outcomes-*.jsonl": "one line for each record that was sent: key, Id, status, error",
            f"{folder}/outcomes/failed-*.singer.jsonl": "the refused records, ready to be piped into the target again",
            f"{folder}/logs": "what Meltano and the simulator said",
            "meltano.yml": "how both directions are set up",
            "examples/nycflights13/dev.meltano.yml": "which column goes to which field",
        },
    )
    _show_pairs(
        console,
        "Try next",
        {
            "scripts/demo --full": "the whole year, 341,572 rows",
            "scripts/demo --keep": "leaves the database and the simulator running, for Meltano commands of your own",
        },
    )


def _show_pairs(console: Console, title: str, pairs: dict[str, str]) -> None:
    table = Table(title, "", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, meaning in pairs.items():
        table.add_row(f"  {name}", meaning)
    console.print(table, "", sep="\n", highlight=False)


def _wait_for_enter(console: Console, *, sandbox: Sandbox) -> None:
    variables = sandbox.folder / "variables"
    variables.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in sandbox.settings.items()))
    variables.chmod(0o600)
    console.print(
        f"""Both servers are up. In another terminal, in {PROJECT}:

  . {_from_project(variables)}
  .venv/bin/meltano run salesforce-to-warehouse
  .venv/bin/meltano invoke tap-salesforce-bulk --discover
  psql                          or any other client that knows PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE
""",
        highlight=False,
    )
    with suppress(EOFError):  # no terminal
        console.input("Press Enter to stop them. ")


def _from_project(path: Path) -> Path:
    return path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path
