"""One text for all spellings of a value, so that a row is known again in a result file. Pure.

Salesforce echoes values after converting them: ``912260031`` comes back as ``9.12260031E8``, date-times with other
milliseconds (Bulk guide, "Get Job Successful Record Results"; `salesforce-api.md`, trap 21).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal

from salesforce_bulk_client.limits import NULL_IN_JOB_DATA

Canonical = Callable[[str], str]

LONGEST_WHOLE_NUMBER = 400
"""Digits; Salesforce has none of more than 19."""

ID_CHARACTERS = 15
"""The first 15 characters of an Id say it all; the 18-character form adds a checksum of their case."""


def canonical_form(field_type: str) -> Canonical:
    """Return the function that gives a cell's canonical text, for describe's ``field_type``.

    >>> canonical_form("double")("912260031") == canonical_form("double")("9.12260031E8")
    True
    >>> canonical_form("datetime")("2024-01-15T12:30:00.123+02:00"), canonical_form("datetime")("2024-01-15T10:30:00Z")
    ('1705314600', '1705314600')
    """
    form = _BY_TYPE.get(field_type)
    if form is None:
        return _text

    def canonical(cell: str) -> str:
        return form(cell) if cell and cell != NULL_IN_JOB_DATA else ""

    return canonical


def canonical_key(field_type: str) -> Canonical:
    """Return the function whose text is the same for two rows of one record: ids by their case, external ids without.

    >>> canonical_key("string")("Ab-1")
    'ab-1'
    """
    form = canonical_form(field_type)
    return form if field_type in {"id", "reference"} else lambda cell: form(cell).casefold()


def _text(cell: str) -> str:
    # NULs are taken out of result files on their way in.
    return "" if cell == NULL_IN_JOB_DATA else cell.replace("\r\n", "\n").replace("\0", "").strip()


def _whole_number(cell: str) -> str:
    try:
        number = Decimal(cell)
        is_whole = number.adjusted() < LONGEST_WHOLE_NUMBER and number == number.to_integral_value()
        return str(int(number)) if is_whole else cell
    except (ArithmeticError, ValueError):
        return cell


def _number(cell: str) -> str:
    try:
        return repr(float(cell) + 0.0)  # Salesforce's numbers are doubles; adding zero makes -0.0 a 0.0
    except ValueError:
        return cell


def _boolean(cell: str) -> str:
    return "true" if cell.lower() in {"true", "1"} else "false"


def _date(cell: str) -> str:
    return cell[: len("2024-01-15")]


def _datetime(cell: str) -> str:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return cell
    utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Salesforce keeps whole seconds, and may answer with milliseconds or without.
    return str(int(utc.replace(microsecond=0).timestamp()))


def _time(cell: str) -> str:
    try:
        return time.fromisoformat(cell).replace(tzinfo=None).isoformat(timespec="milliseconds")
    except ValueError:
        return cell


def _id(cell: str) -> str:
    return cell[:ID_CHARACTERS]


def _multipicklist(cell: str) -> str:
    return ";".join(sorted({part.strip() for part in cell.split(";")}))


_BY_TYPE: dict[str, Canonical] = {
    "int": _whole_number,
    "long": _whole_number,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "id": _id,
    "reference": _id,
    "multipicklist": _multipicklist,
}

CONVERTED_TYPES = _BY_TYPE.keys()
"""Types whose values may come back spelt otherwise; all others are texts."""
