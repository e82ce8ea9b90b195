"""Batches as a table and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from salesforce_bulk_plugin.formatting import counted, duration, number
from target_salesforce_bulk.journal import BatchState

from salesforce_bulk_companion.output import print_facts, print_heading, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_salesforce_bulk.journal import BatchNote

STATES = {
    BatchState.PENDING: "not sent",
    BatchState.OPEN: "not sent in full",
    BatchState.CLOSING: "sent, no outcomes yet",
    BatchState.SENDING: "sent, no outcomes yet",
    BatchState.DOUBTFUL: "doubtful",
    BatchState.SET_ASIDE: "set aside",
}
NEXT_RUN = {
    BatchState.PENDING: "the next run drops it: its records come again",
    BatchState.OPEN: "the next run aborts its job and drops it: its records come again",
    BatchState.CLOSING: "the next run waits for its job and records the outcomes",
    BatchState.SENDING: "the next run drops it: its records come again, which changes nothing",
}
"""What becomes of batches that wait for no decision."""
LOOKUPS_WAIT = "the next run sends it: its records are loaded, but not all of their lookups"


def print_batches(notes: Sequence[BatchNote]) -> None:
    """Print a table of batches, and why each is there."""
    head = ["Id", "State", "Stream", "Operation", "Object", "Job", "Rows", "Age"]
    rows = [
        [
            note.batch_id,
            STATES[note.state],
            note.stream,
            note.operation,
            note.object,
            note.job_id or "",
            number(note.number_of_rows),
            duration(_age_s(note)),
        ]
        for note in notes
    ]
    print_table(head, rows, numbers={"Rows", "Age"})
    print_heading("Why they are there")
    print_facts((note.batch_id, _reason(note)) for note in notes)


def as_json(note: BatchNote) -> dict[str, Any]:
    """Return all that is known of a batch."""
    return {
        "id": note.batch_id,
        "state": note.state.value,
        "state_in_words": STATES[note.state],
        "stream": note.stream,
        "operation": note.operation,
        "object": note.object,
        "org": note.org,
        "job_id": note.job_id,
        "rows": note.number_of_rows,
        "since": note.since,
        "age_s": round(_age_s(note)),
        "reason": _reason(note),
    }


def number_of_batches(notes: Sequence[BatchNote]) -> str:
    """Return how many batches there are, with their rows."""
    rows = sum(note.number_of_rows for note in notes)
    return f"{number(len(notes))} batch{'' if len(notes) == 1 else 'es'} ({counted(rows, 'row')})"


def _reason(note: BatchNote) -> str:
    if note.is_second_pass and note.state in NEXT_RUN:
        return LOOKUPS_WAIT
    return note.reason or NEXT_RUN.get(note.state, "")


def _age_s(note: BatchNote) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(note.since)).total_seconds())
