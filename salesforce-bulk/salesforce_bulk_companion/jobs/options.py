"""What the commands of `jobs` are asked with: ids, ages, options, and the org that they lead to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from salesforce_bulk_client import JobState, SalesforceClient

from salesforce_bulk_companion.jobs.awaited import DEFAULT_RESULTS_DIR, AwaitedJobs
from salesforce_bulk_companion.jobs.in_org import KINDS, OrgJob, Selection, list_jobs
from salesforce_bulk_companion.org import who_asks
from salesforce_bulk_companion.settings import TARGET_PREFIX, Settings, connection_options, read_settings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")

Command = Callable[..., Any]


def _age(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Return a time such as ``90m``, ``12h`` or ``1d``."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([smhdw])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no age: write 90m, 12h, 1d or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def job_ids(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return ids of 15 or 18 characters, which are safe to be put into an address; each once."""
    for value in values:
        if not _ID.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no id of 15 or 18 characters")
    return tuple(dict.fromkeys(values))


def options_of(*options: Command) -> Callable[[Command], Command]:
    """Return what adds these options to a command, and those that say where the settings are."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return connection_options(command)

    return add


SELECTION: tuple[Command, ...] = (
    click.option("--kind", type=click.Choice(KINDS), help="Only query jobs, or only ingest jobs."),
    click.option(
        "--state",
        "states",
        multiple=True,
        type=click.Choice([state.value for state in JobState], case_sensitive=False),
        metavar="STATE",
        help=f"Only jobs in this state: {', '.join(state.value for state in JobState)}. Repeatable.",
    ),
    click.option("--open", "is_open", is_flag=True, help="Only jobs that were left Open: short for --state Open."),
    click.option("--object", "sobject", metavar="NAME", help="Only jobs of this object."),
    click.option(
        "--older-than", callback=_age, metavar="AGE", help="Only jobs made so long ago, or earlier: 90m, 12h, 1d."
    ),
    click.option("--newer-than", callback=_age, metavar="AGE", help="Only jobs made since so long ago."),
    click.option("--all", "everybodys", is_flag=True, help="Everybody's jobs, not only those that this user made."),
)
AWAITED: tuple[Command, ...] = (
    click.option(
        "--results-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help=f"Folder with the target's journal. Default: the setting results_dir, or {DEFAULT_RESULTS_DIR}.",
    ),
    click.option(
        "--tap-state",
        "tap_states",
        multiple=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="The tap's state, which names the jobs that its next run goes on with. Repeatable.",
    ),
)
ACTING: tuple[Command, ...] = (
    click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal to ask at."),
    click.option("--force", is_flag=True, help="Also jobs that a run of the target or the tap will go on with."),
)


class Org:
    """An org that is logged in to, and who waits for which of its jobs."""

    def __init__(self, client: SalesforceClient, settings: Settings, options: dict[str, Any]) -> None:
        self.client = client
        by_variable = os.environ.get(f"{TARGET_PREFIX}RESULTS_DIR")
        results_dir = options.pop("results_dir") or Path(
            settings.values.get("results_dir") or by_variable or DEFAULT_RESULTS_DIR
        )
        self.awaited = AwaitedJobs(results_dir=results_dir.expanduser(), states=options.pop("tap_states"))

    def select(self, options: dict[str, Any]) -> tuple[list[OrgJob], str | None]:
        """Return the jobs that the options select, and the user whose they are; None for everybody's."""
        user_id = None if options["everybodys"] else who_asks(self.client)[1]
        states = {JobState(state) for state in options["states"]} | ({JobState.OPEN} if options["is_open"] else set())
        selection = Selection(
            kind=options["kind"],
            states=states,
            sobject=options["sobject"],
            older_than=options["older_than"],
            newer_than=options["newer_than"],
            created_by_id=user_id,
        )
        return list_jobs(self.client, selection), user_id


@contextmanager
def open_org(options: dict[str, Any]) -> Iterator[Org]:
    """Log in with the options' settings; takes the options that this needs out of them.

    Raises: ConfigError, LoginError.
    """
    settings = read_settings(options.pop("config"), is_target=options.pop("is_target"))
    with SalesforceClient(settings.connection()) as client:
        yield Org(client, settings, options)
