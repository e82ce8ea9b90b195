"""What the tap adds to the SDK's stream maps: the fast path where they change nothing, and errors without values."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_sdk.mapper import SameRecordTransform

from tap_salesforce_bulk.errors import StreamMapFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.mapper import StreamMap


def change_nothing(stream_maps: Sequence[StreamMap]) -> bool:
    """Whether all that the stream maps do is to pass each record on."""
    return (
        len(stream_maps) == 1 and type(stream_maps[0]) is SameRecordTransform and not stream_maps[0].flattening_enabled
    )


@contextmanager
def map_errors() -> Iterator[None]:
    """Raise what a stream map raises, of whatever kind it is, as one error without a record's values."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # an expression is a program of the user's
        raise StreamMapFailed.from_record(error) from None
