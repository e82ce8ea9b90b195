"""The benchmarks' data: the same rows every time, some of their cells empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from salesforce_bulk_simulator import Org

OBJECTS = Path(__file__).with_name("objects.yaml")
LOADED = "Load__c"

Value = str | int | float | bool | None

_TEXT = (
    "Ada Lovelace",
    "a much longer text, with a comma in it",
    'of 19" racks',
    "Zoë Müller GmbH & Co. KG",
    "two\nlines",
    "12",
)
_TYPES = {"Number": "number", "Amount": "number", "Percent": "number", "Count": "integer", "Flag": "boolean"}
_FORMATS = {"Moment": "date-time", "Day": "date"}

LOADED_NAMES = (
    *("Name", "Key__c", *(f"Text{number}__c" for number in range(1, 8)), "Email__c", "Phone__c", "Status__c"),
    *("Number1__c", "Number2__c", "Amount1__c", "Amount2__c", "Percent1__c", "Percent2__c"),
    *("Count1__c", "Count2__c", "Count3__c", "Flag1__c", "Flag2__c", "Flag3__c", "Flag4__c"),
    *(f"Moment{number}__c" for number in range(1, 6)),
    "Day__c",
)


def value_of(name: str, number: int) -> Value:
    """Return the value of a column in the row of this number, of the type that the start of its name tells.

    >>> value_of("Count1__c", 7), value_of("Flag1__c", 7), value_of("Day__c", 7), value_of("Amount1__c", 7)
    (60661, True, '2024-05-25', 10317.64)
    """
    kind = _kind_of(name)
    mixed = (number * 7919 + len(name) * 31 + ord(name[-4]) * 101) % 1_000_003
    if kind in ("Name", "Key"):
        return f"{kind} {number:08d}"
    if mixed % 11 == 0 and kind != "Flag":
        return None
    return _MAKERS[kind](mixed)


_MAKERS: dict[str, Callable[[int], Value]] = {
    "Text": lambda mixed: f"{_TEXT[mixed % 6]} {mixed}",
    "Email": lambda mixed: f"user{mixed}@example.com",
    "Phone": lambda mixed: f"+1 555 {mixed:07d}",
    "Status": lambda mixed: ("Open", "Won", "Lost")[mixed % 3],
    "Number": lambda mixed: mixed * 31 / 100,
    "Amount": lambda mixed: mixed * 17 % 1_234_567 / 100,
    "Percent": lambda mixed: mixed % 10_000 / 100,
    "Count": lambda mixed: mixed % 100_000,
    "Flag": lambda mixed: mixed % 3 == 0,
    "Moment": lambda mixed: f"2024-{mixed % 12 + 1:02d}-{mixed % 28 + 1:02d}T10:{mixed % 60:02d}:00.000Z",
    "Day": lambda mixed: f"2024-{mixed % 12 + 1:02d}-{mixed % 28 + 1:02d}",
}


def fill(org: Org, name: str, count: int) -> None:
    """Put so many rows into an object, past the org's rules: they are only to be read.

    Their stamps are those of yesterday, so that a read from yesterday on has all of them in one window.
    """
    sobject = org.sobject(name)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    stamps = [
        f"{midnight - timedelta(days=1) + timedelta(seconds=20 * number):%Y-%m-%dT%H:%M:%S}.000Z"
        for number in range(4000)
    ]
    own = [field.name for field in sobject.stored_fields if field.name.endswith("__c")]
    columns = [
        *("Id", "Name", "OwnerId", "CreatedById", "LastModifiedById"),
        *("CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted", *own),
    ]

    def rows(ids: list[str]) -> Iterator[list[Value]]:
        for number, record_id in enumerate(ids):
            stamp = stamps[number * 7919 % 4000]
            values = [value_of(each, number) for each in own]
            yield [record_id, f"Name {number:08d}", *[org.user_id] * 3, *[stamp] * 3, False, *values]

    with org.lock, org.store.transaction():
        org.store.insert(sobject, columns, rows(org.store.new_ids(sobject, count)))


def write_input(path: Path, *, count: int, is_plain: bool = False) -> None:
    """Write a target's input: SCHEMA, RECORDs and STATE of `LOADED`, with 31 columns each.

    ``is_plain`` writes fractions as texts, and does not tell that a text is a date-time: an input that targets can load
    which make Decimals and datetimes of these, but no JSON of them.
    """
    encode = msgspec.json.encode
    properties = {name: _property(name, is_plain=is_plain) for name in LOADED_NAMES}
    schema = {"properties": properties, "type": "object"}
    with path.open("wb") as file:
        file.write(encode({"type": "SCHEMA", "stream": LOADED, "schema": schema, "key_properties": ["Key__c"]}) + b"\n")
        for number in range(count):
            record = {name: value_of(name, number) for name in LOADED_NAMES}
            if is_plain:
                record = {name: str(value) if type(value) is float else value for name, value in record.items()}
            message = {"type": "RECORD", "stream": LOADED, "record": record}
            file.write(encode({**message, "time_extracted": "2026-01-15T10:30:00.000000+00:00"}) + b"\n")
        file.write(encode({"type": "STATE", "value": {"bookmarks": {LOADED: {}}}}) + b"\n")


def _property(name: str, *, is_plain: bool) -> dict[str, Any]:
    kind = _kind_of(name)
    type_ = "string" if is_plain and _TYPES.get(kind) == "number" else _TYPES.get(kind, "string")
    return {"type": [type_, "null"], **({} if is_plain or kind not in _FORMATS else {"format": _FORMATS[kind]})}


def _kind_of(name: str) -> str:
    return name.removesuffix("__c").rstrip("0123456789")
