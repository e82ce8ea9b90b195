"""``batches --resume``, ``--resend`` and ``--forget``: a person decides on what the target's runs have left."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click
from salesforce_bulk_client import ConnectionConfig, SalesforceClient
from target_salesforce_bulk.decisions import Action, Decision, Decisions
from target_salesforce_bulk.errors import TargetError
from target_salesforce_bulk.settings import CONFIG_JSONSCHEMA, LoadSettings
from target_salesforce_bulk.stopping import Stopping
from target_salesforce_bulk.target import TargetSalesforceBulk

from salesforce_bulk_companion.batches.listing import number_of_batches, print_batches
from salesforce_bulk_companion.output import ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from target_salesforce_bulk.journal import BatchNote

    from salesforce_bulk_companion.settings import Settings

ALL = "all"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

QUESTIONS = {
    "resume": "Ask Salesforce again for {}, and record the outcomes?",
    "resend": "Load {} again, except what Salesforce says is loaded?",
    "forget": "Forget {}, so that their rows are not loaded again and go to the failed file?",
}


def decide(
    action: str, batch_id: str, *, results_dir: Path, settings: Settings, output_format: str, is_sure: bool
) -> tuple[list[Decision], list[BatchNote]]:
    """Carry out an action on one batch or all of this org; return how that went, and what the org has left then.

    Raises: click.UsageError; click.ClickException; SalesforceError.
    """
    decisions: list[Decision] = []

    def tell(decision: Decision) -> None:
        decisions.append(decision)
        if output_format == "text":
            click.echo(f"{decision.batch_id}: {decision.message}")

    stopping = Stopping()
    connection, load_settings = _checked(settings, results_dir=results_dir)
    with ExitStack() as stack:
        try:
            client = stack.enter_context(SalesforceClient(connection))
            opened = stack.enter_context(Decisions(client, settings=load_settings, stopping=stopping))
            notes = _chosen(batch_id, opened)
            if notes and output_format == "text":
                print_batches(notes)
            if notes and not is_sure:
                ask(QUESTIONS[action].format(number_of_batches(notes)))
            if notes:
                with _signals_for(stopping):
                    opened.carry_out(Action(action), notes, done=tell)
            return decisions, [note for note in opened.batches() if note.org == opened.org]
        except TargetError as error:
            raise click.ClickException(str(error)) from None


def _checked(settings: Settings, *, results_dir: Path) -> tuple[ConnectionConfig, LoadSettings]:
    """Return the settings as a run of the target would have them; it is as patient.

    Raises: ConfigError.
    """
    own = {name: value for name, value in settings.values.items() if name in CONFIG_JSONSCHEMA["properties"]}
    with _signal_handlers_kept():  # a plugin takes the signals, but this one is only asked for its settings
        config: dict[str, Any] = dict(TargetSalesforceBulk(config=own | {"results_dir": str(results_dir)}).config)
    return ConnectionConfig.from_settings(config), LoadSettings.from_config(config)


def _chosen(batch_id: str, opened: Decisions) -> Sequence[BatchNote]:
    notes = opened.batches()
    own = [note for note in notes if note.org == opened.org]
    if batch_id == ALL:
        return own
    chosen = [note for note in own if note.batch_id == batch_id]
    for note in notes:
        if note.batch_id == batch_id and not chosen:
            raise click.UsageError(f"the batch {batch_id} is of org {note.org}, but these settings are of {opened.org}")
    if not chosen:
        raise click.UsageError(f"there is no batch {batch_id!r} in the journal: name one of the list, or {ALL}")
    return chosen


@contextmanager
def _signals_for(stopping: Stopping) -> Iterator[None]:
    """Stop in order at the first signal: the journal knows how far each batch is. A second one is a kill."""

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.is_asked.set()
        stopping.is_over.set()
        signal.signal(number, signal.SIG_DFL)

    with _signal_handlers_kept():
        for number in _SIGNALS:
            signal.signal(number, stop)
        yield


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
