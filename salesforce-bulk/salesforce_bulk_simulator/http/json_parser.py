"""JSON as Salesforce's parser reads it, and its messages for invalid JSON."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from .errors import RequestRefused

_MAX_NUMBER_CHARACTERS = 1000
"""Maximum length of a number, the default of the parser that Salesforce uses (Jackson). [inferred]"""
_VALUES = "number, String, array, object, 'true', 'false' or 'null'"
_MESSAGES = {
    "Expecting value": f"Unexpected character ({{it}}): expected a valid value ({_VALUES})",
    "Expecting property name": "Unexpected character ({it}): was expecting double-quote to start field name",
    "Illegal trailing comma": "Unexpected character ({it}): was expecting double-quote to start field name",
    "Expecting ':'": "Unexpected character ({it}): was expecting a colon to separate field name and value",
    "Expecting ','": "Unexpected character ({it}): was expecting comma to separate entries",
    "Extra data": f"Unexpected character ({{it}}): expected a valid value ({_VALUES})",
    "Unterminated string": "Unexpected end-of-input: was expecting closing quote for a string value",
    "Invalid control character": (
        "Illegal unquoted character ({it}): has to be escaped using backslash to be included in string value"
    ),
    "Invalid \\escape": "Unrecognized character escape in a string value",
    "Invalid \\uXXXX": "Unexpected character in a unicode escape: expected a hex-digit",
    "": "Unexpected character ({it})",
}
"""Salesforce's (Jackson's) message for each error of Python's parser."""


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        RequestRefused: JSON_PARSER_ERROR, with line and column.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise parser_error(f"Invalid UTF-8 start byte 0x{body[error.start]:x}", column=error.start + 1) from None
    try:
        value = json.loads(text, parse_int=_int, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise parser_error(_problem(error), line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise parser_error("Document nesting depth exceeds the maximum allowed") from None
    # half of a surrogate pair becomes a question mark, as in Java
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) if "\\u" in text else value


def parser_error(problem: str, *, line: int = 1, column: int = 1) -> RequestRefused:
    return RequestRefused(400, "JSON_PARSER_ERROR", f"{problem} at [line:{line}, column:{column}]")


def column_of(body: bytes, name: str) -> tuple[int, int]:
    """Return the line and column at which the value of a key begins."""
    text = body.decode("utf-8", "replace")
    match = re.search(re.escape(json.dumps(name, ensure_ascii=False)) + r"\s*:\s*", text)
    before = text[: match.end()] if match else ""
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def token_of(value: Any) -> tuple[str, str]:
    """Return the parser's name for a JSON value, and its text as the parser quotes it.

    >>> token_of(True), token_of([1]), token_of(1.5)
    (('VALUE_TRUE', 'true'), ('START_ARRAY', '['), ('VALUE_NUMBER_FLOAT', '1.5'))
    """
    if isinstance(value, bool):
        return ("VALUE_TRUE", "true") if value else ("VALUE_FALSE", "false")
    if value is None:
        return "VALUE_NULL", "null"
    if isinstance(value, str):
        return "VALUE_STRING", value
    if isinstance(value, int | float):
        return "VALUE_NUMBER_INT" if isinstance(value, int) else "VALUE_NUMBER_FLOAT", json_text(value)
    return ("START_OBJECT", "{") if isinstance(value, dict) else ("START_ARRAY", "[")


def json_text(value: Any) -> str:
    """Return a value for a message: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _int(text: str) -> int:
    if len(text) > _MAX_NUMBER_CHARACTERS:
        message = f"Number value length ({len(text)}) exceeds the maximum allowed ({_MAX_NUMBER_CHARACTERS})"
        raise parser_error(message)
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise parser_error(f"Unrecognized token '{name.lstrip('-')}': was expecting ('true', 'false' or 'null')")


def _problem(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc):
        return "Unexpected end-of-input"
    message = next(message for start, message in _MESSAGES.items() if error.msg.startswith(start))
    character = error.doc[error.pos]
    return message.format(it=f"'{character}' (code {ord(character)})")
