"""The tokens of a SOQL query, and Salesforce's error messages with their position."""

from __future__ import annotations

import re
from dataclasses import dataclass

from salesforce_bulk_simulator.http.errors import RequestRefused

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})(?![\w.]))
    | (?P<date>\d{4}-\d{2}-\d{2}(?![\w.:-]))
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<dateliteral>[A-Za-z_]\w*:\d+)
    | (?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    | (?P<symbol><=|>=|!=|<>|[=<>(),])
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is string, datetime, date, number, dateliteral, word, symbol or end."""

    kind: str
    text: str
    at: int


def tokenize(soql: str) -> list[Token]:
    """Return the tokens of a query, the last of them of kind ``end``.

    Raises:
        RequestRefused: MALFORMED_QUERY, at a character that does not begin a token.
    """
    tokens = []
    position = 0
    while position < len(soql):
        match = _TOKEN.match(soql, position)
        if match is None:
            raise malformed(soql, at=position, problem=f"unexpected token: '{soql[position]}'")
        if match.lastgroup != "space":
            tokens.append(Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    return [*tokens, Token("end", "<EOF>", len(soql))]


def malformed(soql: str, *, at: int, problem: str, code: str = "MALFORMED_QUERY") -> RequestRefused:
    """Return Salesforce's error for a query: its text, a caret under the position, and the problem."""
    line = soql[max(0, at - 40) : at + 20].replace("\n", " ")
    caret = " " * min(at, 40) + "^"
    row = soql.count("\n", 0, at) + 1
    column = at - (soql.rfind("\n", 0, at) + 1) + 1
    return RequestRefused(400, code, f"\n{line}\n{caret}\nERROR at Row:{row}:Column:{column}\n{problem}")


def unescape(literal: str) -> str:
    r"""Return the value of a quoted literal.

    >>> unescape(r"'it\'s'")
    "it's"
    """
    return _ESCAPE.sub(lambda match: _plain(match[1]), literal[1:-1])


def like_pattern(literal: str) -> str:
    """Return a quoted literal as a LIKE pattern; escaped wildcards keep their backslash."""
    return _ESCAPE.sub(lambda match: "\\" + match[1] if match[1] in "%_\\" else _plain(match[1]), literal[1:-1])


def _plain(escaped: str) -> str:
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    return _ESCAPES.get(escaped, escaped)
