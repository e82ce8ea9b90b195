"""Hooks for instrumentation: a program that sets an observer is shown what the client counts and how long it takes.

Counts are taken by page, job and request, and never by record. No overhead unless there is an observer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from salesforce_bulk_client.instruments import Instrument

Note = Callable[..., None]
"""Adds attributes to a span: ``note(records=7)``."""


class Observer(Protocol):
    """What takes the counts and spans of a process; several threads call it."""

    def note(self, instrument: Instrument, amount: float, attributes: Mapping[str, str]) -> None:
        """Add to a counter, set a gauge, or record in a histogram."""

    def span(self, name: str, attributes: Mapping[str, Any]) -> AbstractContextManager[Note]:
        """Record the block as a span."""


class _Process:
    """Holds the one observer of the process, which has one `logging` and one standard output as well."""

    observer: Observer | None = None


_process: Final = _Process()


def set_observer(observer: Observer | None) -> None:
    """Show everything to ``observer`` from now on; None ends that."""
    _process.observer = observer


def note(instrument: Instrument, amount: float, **attributes: str | None) -> None:
    """Add to a counter, set a gauge, or record in a histogram; an attribute that is None is left out."""
    if observer := _process.observer:
        observer.note(instrument, amount, {name: value for name, value in attributes.items() if value is not None})


@contextmanager
def span(name: str, **attributes: Any) -> Iterator[Note]:
    """Show the block to the observer as a span; the function that it is given adds attributes to it."""
    observer = _process.observer
    if observer is None:
        yield no_note
        return
    with observer.span(name, attributes) as note:
        yield note


def no_note(**_: Any) -> None:
    """Add nothing."""
