"""Feeds the outstanding records to the target, which is run with the same settings in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import msgspec
from salesforce_bulk_client import ConfigError, SalesforceClient
from salesforce_bulk_plugin.formatting import counted, number
from target_salesforce_bulk import outstanding

from salesforce_bulk_companion.command import EXIT_FAILED, EXIT_QUOTA
from salesforce_bulk_companion.settings import ENVIRONMENT, TARGET_PREFIX

if TYPE_CHECKING:
    from target_salesforce_bulk.journal import Journal
    from target_salesforce_bulk.outstanding import Left

    from salesforce_bulk_companion.settings import Settings

_TARGET = "from target_salesforce_bulk.target import TargetSalesforceBulk; TargetSalesforceBulk.cli()"
WAIT_FOR_TARGET_MS = 300_000
"""How long the target may hold the journal while it commits the outcomes of a large batch."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class Retried:
    """How a retry went."""

    retried: int
    loaded: int
    doubtful: int
    """Nothing tells if they are loaded: `salesforce-bulk batches` decides."""
    left_out: int
    """Cleared since the last retry, because a later run has loaded their key."""
    left: Left
    exit_code: int
    """0 if only what is left says how it went."""

    def __str__(self) -> str:
        """Say it in a line; nothing where there was nothing to do.

        >>> from target_salesforce_bulk.outstanding import Left
        >>> str(Retried(retried=3, loaded=2, doubtful=0, left_out=1, left=Left(1, "2026-11-23", 0), exit_code=0))
        '3 records retried: 2 loaded; 1 left out: a later run has loaded their key'
        """
        parts = [f"{number(self.loaded)} loaded"]
        if self.doubtful:
            parts.append(f"{number(self.doubtful)} doubtful (salesforce-bulk batches)")
        if not self.retried + self.left_out:
            return ""
        line = f"{counted(self.retried, 'record')} retried: {', '.join(parts)}"
        if self.left_out:
            line += f"; {number(self.left_out)} left out: a later run has loaded their key"
        return line

    @property
    def facts(self) -> dict[str, Any]:
        """The counts, for a program."""
        names = ("retried", "loaded", "doubtful", "left_out")
        return {name: getattr(self, name) for name in names}


def load(journal: Journal, *, folder: Path, settings: Settings, config: Sequence[str]) -> Retried:
    """Load again what is outstanding in the org that the settings log in to.

    Raises: ConfigError; SalesforceError.
    """
    if settings.values.get("journal") is False:
        raise ConfigError("journal is false: without a journal nothing notes what a retry has loaded")
    org = _org(journal, settings)
    with journal.outstanding_records() as db:
        db.execute(f"PRAGMA busy_timeout = {WAIT_FOR_TARGET_MS}")
        last = outstanding.newest_id(db)
        before = outstanding.counts(db, org=org, last=last)
    code = _feed_target(_lines(journal, org=org, last=last), folder=folder, config=config) if before.waiting else 0
    with journal.outstanding_records() as db:
        after = outstanding.counts(db, org=org, last=last)
        left_out = outstanding.take_loaded_later(db, org=org)
        left = outstanding.left_in(db, org=org)
    doubtful = max(0, after.doubtful - before.doubtful)
    return Retried(
        retried=before.waiting,
        loaded=before.waiting - after.waiting - doubtful,
        doubtful=doubtful,
        left_out=left_out,
        left=left,
        exit_code=code if code in {0, EXIT_QUOTA} else EXIT_FAILED,
    )


def _org(journal: Journal, settings: Settings) -> str:
    """Return the org to load into; asked of Salesforce only where records of several are outstanding."""
    with journal.outstanding_records() as db:
        orgs = outstanding.orgs(db)
    if len(orgs) < 2:
        return orgs[0] if orgs else ""
    with SalesforceClient(settings.connection()) as client:
        return client.org_id


def _lines(journal: Journal, *, org: str, last: int) -> Iterator[bytes]:
    """Yield SCHEMA and RECORD messages, in the order in which the records came; the target may work meanwhile."""
    schema_of: dict[str, int] = {}
    after = 0
    while True:
        with journal.outstanding_records() as db:
            page = outstanding.page_of_records_to_load(db, org=org, after=after, last=last)
            schemas = {each.schema_id: outstanding.schema_message(db, each.schema_id) for each in page}
        if not page:
            return
        for each in page:
            if schema_of.get(each.stream) != each.schema_id:
                schema_of[each.stream] = each.schema_id
                yield schemas[each.schema_id]
            yield each.message
        after = page[-1].id


def _feed_target(lines: Iterator[bytes], *, folder: Path, config: Sequence[str]) -> int:
    """Run the target on these lines, and return its exit code."""
    results_dir = str(folder.absolute())
    with tempfile.TemporaryDirectory(prefix="salesforce-bulk-") as own:
        last_config = Path(own) / "config.json"
        last_config.write_bytes(msgspec.json.encode({"results_dir": results_dir}))
        arguments = [argument for name in (*(config or [ENVIRONMENT]), last_config) for argument in ("--config", name)]
        target = subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, "-c", _TARGET, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, f"{TARGET_PREFIX}RESULTS_DIR": results_dir},
            start_new_session=True,  # Ctrl-C comes once: from here
        )
        with target, _signals_passed_on(target):
            assert target.stdin
            with suppress(BrokenPipeError):  # it has ended before its input, and says why
                target.stdin.writelines(lines)
            with suppress(BrokenPipeError):
                target.stdin.close()
            return target.wait()


@contextmanager
def _signals_passed_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the target end in order at a signal, and wait for that."""

    def pass_on(signal_number: int, _frame: FrameType | None) -> None:
        process.send_signal(signal_number)

    before = {signal_number: signal.signal(signal_number, pass_on) for signal_number in _SIGNALS}
    try:
        yield
    finally:
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)
