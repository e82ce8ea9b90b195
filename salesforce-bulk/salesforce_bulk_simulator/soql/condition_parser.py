"""Parsing conditions: what follows WHERE, its operators and its literals."""

from __future__ import annotations

from salesforce_bulk_simulator.http.errors import not_in_simulator

from .date_literals import is_date_literal
from .syntax import (
    And,
    Comparison,
    Condition,
    FieldPath,
    Literal,
    Membership,
    Not,
    Or,
    Query,
    SemiJoin,
)
from .token_stream import TokenStream
from .tokens import like_pattern, unescape
from .unsupported import UNSUPPORTED_LITERAL

_MAX_DIGITS = 10
"""Number of digits of a date literal that are read: more are out of range anyway."""
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class ConditionParser(TokenStream):
    """The rules of the grammar for conditions."""

    def query(self) -> Query:
        """Return the query that begins here: a semi-join contains one."""
        raise AssertionError("the parser of queries implements it")

    def _condition(self) -> Condition:
        first = self._factor()
        for word, node in (("AND", And), ("OR", Or)):
            if self._at_word(word):
                conditions = [first]
                while self._take_word(word):
                    conditions.append(self._factor())
                # Salesforce requires parentheses where AND and OR are mixed
                if self._at_word("AND") or self._at_word("OR"):
                    raise self._unexpected(self._now)
                return node(tuple(conditions))
        return first

    def _factor(self) -> Condition:
        if self._take_word("NOT"):
            return Not(self._nested(self._factor))
        if self._take_symbol("("):
            condition = self._nested(self._condition)
            self._expect_symbol(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        field = self._field_path()
        token = self._take()
        word = token.text.upper()
        if token.text in _COMPARISONS:
            return Comparison(field, _COMPARISONS[token.text], self._literal())
        if word == "LIKE":
            return Comparison(field, "LIKE", self._literal())
        if word == "NOT":
            self._expect_word("IN")
            return self._membership(field, "NOT IN")
        if word in ("IN", "INCLUDES", "EXCLUDES"):
            return self._membership(field, word)
        raise self._unexpected(token)

    def _membership(self, field: FieldPath, operator: str) -> Condition:
        self._expect_symbol("(")
        if self._at_word("SELECT"):
            condition: Condition = SemiJoin(field, operator, self._nested(self.query))
        else:
            values = [self._literal()]
            while self._take_symbol(","):
                values.append(self._literal())
            condition = Membership(field, operator, tuple(values))
        self._expect_symbol(")")
        return condition

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "string":
            return Literal("string", unescape(token.text), token.at, like=like_pattern(token.text))
        if token.kind in ("number", "date", "datetime"):
            return Literal(token.kind, token.text, token.at)
        word = token.text.upper()
        if token.kind == "word" and word in ("TRUE", "FALSE"):
            return Literal("boolean", word.lower(), token.at)
        if token.kind == "word" and word == "NULL":
            return Literal("null", "null", token.at)
        name, _, number = word.partition(":")
        if token.kind in ("word", "dateliteral") and is_date_literal(name, has_number=bool(number)):
            return Literal("date_literal", name, token.at, n=int(number[:_MAX_DIGITS] or 0))
        if token.kind in ("word", "dateliteral") and UNSUPPORTED_LITERAL.fullmatch(word):
            raise not_in_simulator(f"{token.text} in SOQL")
        raise self._unexpected(token)
