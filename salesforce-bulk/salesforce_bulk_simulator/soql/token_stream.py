"""A query's tokens, consumed one by one: the operations that all rules of the grammar share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from salesforce_bulk_simulator.http.errors import RequestRefused, not_in_simulator

from .syntax import FieldPath
from .tokens import Token, malformed, tokenize
from .unsupported import UNSUPPORTED_FUNCTIONS

T = TypeVar("T")
_MAX_DEPTH = 50


class TokenStream:
    """One pass over the tokens of a query."""

    def __init__(self, soql: str) -> None:
        self._soql = soql
        self._tokens = tokenize(soql)
        self._position = 0
        self._depth = 0

    @property
    def _now(self) -> Token:
        return self._tokens[self._position]

    def _peek(self) -> Token:
        """Return the token after the current one."""
        return self._tokens[min(self._position + 1, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._now
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def _field_path(self) -> FieldPath:
        token = self._expect("word")
        if self._at_symbol("("):
            raise self._unsupported_or_unexpected(token)
        return FieldPath(tuple(token.text.split(".")), token.at)

    def _list_of(self, rule: Callable[[], T]) -> list[T]:
        items = [rule()]
        while self._take_symbol(","):
            items.append(rule())
        return items

    def _nested(self, rule: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise malformed(self._soql, at=self._now.at, problem="the query is nested too deeply")
        result = rule()
        self._depth -= 1
        return result

    def _at_word(self, word: str) -> bool:
        return self._now.kind == "word" and self._now.text.upper() == word

    def _at_symbol(self, symbol: str) -> bool:
        return self._now.kind == "symbol" and self._now.text == symbol

    def _take_word(self, word: str) -> bool:
        if self._at_word(word):
            self._take()
            return True
        return False

    def _take_symbol(self, symbol: str) -> bool:
        if self._at_symbol(symbol):
            self._take()
            return True
        return False

    def _expect(self, kind: str) -> Token:
        if self._now.kind != kind:
            raise self._unexpected(self._now)
        return self._take()

    def _expect_word(self, word: str) -> None:
        if not self._take_word(word):
            raise self._unexpected(self._now)

    def _expect_symbol(self, symbol: str) -> None:
        if not self._take_symbol(symbol):
            raise self._unexpected(self._now)

    def _unexpected(self, token: Token) -> RequestRefused:
        return malformed(self._soql, at=token.at, problem=f"unexpected token: '{token.text}'")

    def _unsupported_or_unexpected(self, name: Token) -> RequestRefused:
        """Return the error for a function: Salesforce has it and the simulator lacks it, or neither has it."""
        if name.text.upper() in UNSUPPORTED_FUNCTIONS:
            return not_in_simulator(f"{name.text}() in SOQL")
        return self._unexpected(name)
