"""Generated rows, deterministic and in large numbers, for ``--rows Account=1000000``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Value

from .clock import stamp_of
from .org_protocol import DataOrg

_ROWS_PER_TRANSACTION = 20_000
_OPTIONAL_FIELDS = 12
"""Number of optional fields that are filled, so that a row has a realistic size."""
_FIRST = ("Ada", "Bob", "Cyd", "Dee", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon")
_LAST = ("Abbot", "Baker", "Cole", "Dyer", "Eaton", "Fisher", "Grant", "Hunt")
_STAMPS = 20_000
_PART_OF_YEAR_S = 300 * 24 * 3600

Maker = Callable[[int, random.Random], Value]


_MAKERS: dict[str, Maker] = {
    "int": lambda _, source: int(source.random() * 10_000),
    "long": lambda _, source: int(source.random() * 10_000_000),
    "date": lambda number, _: f"20{number % 25:02d}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
    "datetime": lambda number, _: f"2024-{number % 12 + 1:02d}-{number % 28 + 1:02d}T10:{number % 60:02d}:00.000Z",
    "time": lambda number, _: f"10:{number % 60:02d}:00.000Z",
    "email": lambda number, _: f"user{number}@example.com",
    "phone": lambda number, _: f"+1 555 {number % 10_000_000:07d}",
    "url": lambda number, _: f"https://example.com/{number}",
}


def generate_rows(org: DataOrg, name: str, count: int) -> None:
    """Generate ``count`` rows of an object: the same rows for the same seed and clock of the org.

    Raises:
        ValueError: the object does not exist, or it requires a parent and there is none.
    """
    sobject = org.objects.get(name.lower())
    if sobject is None:
        raise ValueError(f"object {name!r} does not exist: declare it with --objects")
    with org.lock:
        makers = _makers(org, sobject)
        for start in range(0, count, _ROWS_PER_TRANSACTION):
            size = min(_ROWS_PER_TRANSACTION, count - start)
            with org.store.transaction():
                _insert(org, sobject, makers, start=start, count=size)


def _insert(org: DataOrg, sobject: SObject, makers: dict[str, Maker], *, start: int, count: int) -> None:
    columns = ["Id", *makers]
    ids = org.store.new_ids(sobject, count)
    source = random.Random(f"{org.seed}{sobject.name}{ids[0]}")
    functions = list(makers.values())

    def rows() -> Iterator[list[Value]]:
        for number, record_id in enumerate(ids, start=start + 1):
            yield [record_id, *[function(number, source) for function in functions]]

    org.store.insert(sobject, columns, rows())


def _makers(org: DataOrg, sobject: SObject) -> dict[str, Maker]:
    """Return the function that fills each field: all required fields, and some optional ones."""
    makers: dict[str, Maker] = {}
    stamps = _stamps(org)
    optional = 0
    for field in sobject.stored_fields:
        if field.name == "Id":
            continue
        maker = _system_maker(org, field, stamps) or _person_maker(field)
        if maker is None and (field.is_required or field.unique or field.name_field or field.auto_number):
            maker = _maker(org, sobject, field)
            if maker is None and field.is_required:
                raise ValueError(
                    f"{sobject.name}.{field.name} needs a record of {' or '.join(field.reference_to)} first"
                )
        elif maker is None and field.createable and optional < _OPTIONAL_FIELDS and not _is_wide(field):
            maker = _maker(org, sobject, field)
            optional += maker is not None
        if maker is not None:
            makers[field.name] = maker
    if "LastName" in makers and "Name" in makers:
        makers["Name"] = lambda number, _: f"{_FIRST[number % 10]} {_last_name(number)}"
    return makers


def _stamps(org: DataOrg) -> list[str]:
    """Return stamps spread over the last months, up to ten minutes ago."""
    end = org.clock.now() - timedelta(minutes=10)
    return [stamp_of(end - timedelta(seconds=_PART_OF_YEAR_S * part / _STAMPS)) for part in range(_STAMPS)]


def _is_wide(field: Field) -> bool:
    return field.type in ("base64", "anyType") or field.length > 4000 or field.compound_field_name is not None


def _system_maker(org: DataOrg, field: Field, stamps: list[str]) -> Maker | None:
    if field.type == "boolean":
        value = int(bool(field.default_value))
        return lambda *_: value
    if field.name in ("OwnerId", "CreatedById", "LastModifiedById"):
        return lambda *_: org.user_id
    if field.name in ("CreatedDate", "LastModifiedDate", "SystemModstamp", "LoginTime"):
        # all stamps of a record are equal, so that it was not changed before it was created
        return lambda number, _: stamps[number * 7919 % _STAMPS]
    return None


def _person_maker(field: Field) -> Maker | None:
    if field.name == "FirstName":
        return lambda number, _: _FIRST[number % 10]
    if field.name == "LastName":
        return lambda number, _: _last_name(number)
    return None


def _last_name(number: int) -> str:
    return f"{_LAST[number // 10 % 8]} {number}"


def _maker(org: DataOrg, sobject: SObject, field: Field) -> Maker | None:
    """Return the function that fills a field of its type; None for a reference without a parent to refer to."""
    if field.type == "reference":
        return _reference_maker(org, sobject, field)
    if field.describe["picklistValues"]:
        values = [each["value"] for each in field.describe["picklistValues"]]
        return lambda _, source: values[int(source.random() * len(values))]
    if field.type in _MAKERS:
        return _MAKERS[field.type]
    if field.is_number:
        size = 10.0 ** min(field.precision - field.scale, 7)
        return lambda _, source: round(source.random() * size, min(field.scale, 2))
    if field.is_text and field.length >= 10:
        label, length = field.describe["label"], field.length
        return lambda number, _: f"{label} {number}"[-length:]
    return None


def _reference_maker(org: DataOrg, sobject: SObject, field: Field) -> Maker | None:
    if sobject.name in field.reference_to:
        return None
    for name in field.reference_to:
        parent = org.objects.get(name.lower())
        if parent is not None:
            ids = org.store.some_ids(parent, limit=1000)
            if ids:
                return lambda number, _: ids[number % len(ids)]
    return None
