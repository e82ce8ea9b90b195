"""SOQL text to syntax tree. Anything else is refused with MALFORMED_QUERY, never guessed."""

from __future__ import annotations

from salesforce_bulk_simulator.http.errors import RequestRefused, not_in_simulator

from .condition_parser import ConditionParser
from .syntax import (
    Call,
    Condition,
    FieldPath,
    Ordering,
    Query,
    Subquery,
)
from .tokens import Token
from .unsupported import UNSUPPORTED_CLAUSES

MAX_LENGTH = 100_000
"""Maximum length of a query in characters. [inferred, well known]"""

_AGGREGATES = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
_MAX_DIGITS = 10
"""Maximum number of digits after LIMIT and OFFSET: more are out of range anyway."""
_CLAUSES = {"WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "HAVING", "UPDATE", "ALL"}


def parse(soql: str) -> Query:
    """Return the syntax tree of a query.

    Raises:
        RequestRefused: MALFORMED_QUERY.
    """
    if len(soql) > MAX_LENGTH:
        raise RequestRefused(400, "MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_LENGTH} characters.")
    parser = _Parser(soql)
    query = parser.query()
    parser.expect_end()
    return query


class _Parser(ConditionParser):
    """One pass over the tokens, one method per rule of the grammar."""

    _field_alias: Token | None = None
    """The first alias of a field in SELECT; only a query with GROUP BY may have one."""

    def query(self) -> Query:
        self._expect_word("SELECT")
        select: list[FieldPath | Call | Subquery] = []
        fields_group = None
        has_typeof = False
        while True:
            if self._at_word("TYPEOF"):
                self._skip_typeof()
                has_typeof = True
            elif self._at_word("FIELDS"):
                fields_group = self._fields_group()
            else:
                select.append(self._select_item())
            if not self._take_symbol(","):
                break
        self._expect_word("FROM")
        sobject = self._expect("word")
        if "." in sobject.text:
            raise self._unexpected(sobject)
        query = Query(
            text=self._soql,
            select=tuple(select),
            sobject=sobject.text,
            sobject_at=sobject.at,
            alias=self._source_alias(),
            where=self._where(),
            group_by=self._group_by(),
            order_by=self._order_by(),
            limit=self._number_after("LIMIT"),
            offset=self._number_after("OFFSET"),
            fields_group=fields_group,
            has_typeof=has_typeof,
        )
        if self._field_alias is not None and not query.group_by:
            raise self._unexpected(self._field_alias)
        self._field_alias = None
        return query

    def expect_end(self) -> None:
        self._refuse_unsupported_clause()
        if self._now.kind != "end":
            raise self._unexpected(self._now)

    def _refuse_unsupported_clause(self) -> None:
        """Refuse a clause that is valid SOQL and that the simulator lacks."""
        for first, seconds in UNSUPPORTED_CLAUSES.items():
            if self._at_word(first) and self._peek().text.upper() in seconds:
                raise not_in_simulator(f"{first} in SOQL")

    # --- SELECT -------------------------------------------------------------------------------------------------

    def _select_item(self) -> FieldPath | Call | Subquery:
        if self._take_symbol("("):
            subquery = Subquery(self._nested(self.query))
            self._expect_symbol(")")
            return subquery
        name = self._expect("word")
        if not self._take_symbol("("):
            after = self._peek()
            if (after.text == "," or after.text.upper() == "FROM") and self._now.kind == "word":
                alias = self._now
                self._field_alias = alias if self._alias() else self._field_alias
            return FieldPath(tuple(name.text.split(".")), name.at)
        if name.text.upper() not in _AGGREGATES:
            raise self._unsupported_or_unexpected(name)
        argument = None if self._at_symbol(")") else self._field_path()
        self._expect_symbol(")")
        return Call(name.text.upper(), argument, self._alias(), name.at)

    def _fields_group(self) -> str:
        self._take()
        self._expect_symbol("(")
        group = self._expect("word")
        self._expect_symbol(")")
        if group.text.upper() not in ("ALL", "STANDARD", "CUSTOM"):
            raise self._unexpected(group)
        return group.text.upper()

    def _skip_typeof(self) -> None:
        while not self._at_word("END"):
            if self._take().kind == "end":
                raise self._unexpected(self._now)
        self._take()

    def _source_alias(self) -> str | None:
        alias = self._alias()
        if self._at_symbol(",") and self._peek().kind == "word":
            raise not_in_simulator("several objects after FROM in SOQL")
        self._refuse_unsupported_clause()
        return alias

    def _alias(self) -> str | None:
        if self._now.kind == "word" and "." not in self._now.text and self._now.text.upper() not in {*_CLAUSES, "FROM"}:
            return self._take().text
        return None

    # --- WHERE --------------------------------------------------------------------------------------------------

    def _where(self) -> Condition | None:
        where = self._condition() if self._take_word("WHERE") else None
        self._refuse_unsupported_clause()
        return where

    # --- the clauses after WHERE --------------------------------------------------------------------------------

    def _group_by(self) -> tuple[FieldPath, ...]:
        if not self._take_word("GROUP"):
            return ()
        self._expect_word("BY")
        groups = tuple(self._list_of(self._grouping))
        if self._at_word("HAVING"):
            raise not_in_simulator("HAVING in SOQL")
        return groups

    def _grouping(self) -> FieldPath:
        if not (self._at_word("ROLLUP") or self._at_word("CUBE")):
            return self._field_path()
        self._take()
        self._expect_symbol("(")
        first, *_ = self._list_of(self._field_path)
        self._expect_symbol(")")
        return first

    def _order_by(self) -> tuple[Ordering, ...]:
        if not self._take_word("ORDER"):
            return ()
        self._expect_word("BY")
        return tuple(self._list_of(self._ordering))

    def _ordering(self) -> Ordering:
        if self._now.text.upper() in _AGGREGATES and self._peek().text == "(":
            raise not_in_simulator(f"{self._now.text}() in ORDER BY in SOQL")
        field = self._field_path()
        is_descending = self._take_word("DESC")
        if not is_descending:
            self._take_word("ASC")
        nulls_last = False
        if self._take_word("NULLS"):
            nulls_last = self._take_word("LAST")
            if not nulls_last:
                self._expect_word("FIRST")
        return Ordering(field, is_descending, nulls_last)

    def _number_after(self, word: str) -> int | None:
        if not self._take_word(word):
            return None
        token = self._expect("number")
        if not token.text.isdigit() or len(token.text) > _MAX_DIGITS:
            raise self._unexpected(token)
        return int(token.text)
