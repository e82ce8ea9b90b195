"""Records against their stream's schema: the checks of JSON Schema as functions, numbers compared exactly.

Schemas come from outside: nothing of one becomes code, none of its references is fetched, and a check that cannot be
made is left out with one warning.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

from salesforce_bulk_client.names import step
from singer_sdk.exceptions import InvalidRecord
from singer_sdk.sinks.core import BaseJSONSchemaValidator

from target_salesforce_bulk.json_schema import required_of

logger = logging.getLogger(__name__)

_Schema = Mapping[str, Any]

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, to be put after the value's name; or None."""


class RecordValidator(BaseJSONSchemaValidator):
    """Checks all that a schema asks except formats: these are left to the conversion, which knows the field's type."""

    def __init__(self, schema: dict[str, Any], *, stream: str = "") -> None:
        super().__init__(schema)
        # The SDK's flattening leaves properties required that it has taken apart.
        required = [name for name in required_of(schema) if name in schema["properties"]]
        compiler = _Compiler({**schema, "required": required})
        self._check = compiler.check(compiler.root)
        if compiler.skipped:
            what = ", ".join(dict.fromkeys(compiler.skipped))
            logger.warning(
                "stream %r: its schema has checks that cannot be made, so they are left out: %s", stream, what
            )

    def validate(self, record: dict[str, Any]) -> None:
        """Raise InvalidRecord, whose message names the property but not its value."""
        try:
            problem = self._check(record)
        except RecursionError:
            problem = " is nested too deeply"
        if problem:
            raise InvalidRecord(f"data{problem}", record)


class _Later:
    """A check that is not made yet."""

    check: Check

    def __call__(self, value: Any) -> str | None:
        return self.check(value)


class _Compiler:
    """Makes the checks of a schema."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.skipped: list[str] = []
        """Keywords whose check cannot be made."""
        self._by_reference: dict[str, Check] = {}

    def check(self, schema: Any) -> Check:
        """Return the check of a schema, which may be true or false too."""
        if schema is False:
            return lambda _: " is not allowed"
        if not isinstance(schema, dict):
            return lambda _: None
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]))
        checks = []
        for keyword, make in _KEYWORDS.items():
            if keyword not in schema:
                continue
            try:
                checks.append(make(self, schema))
            except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, re.error):
                self.skipped.append(keyword)
        self.skipped += sorted(schema.keys() & _UNCHECKED)
        return _all(checks)

    def _reference(self, reference: str) -> Check:
        if reference not in self._by_reference:
            try:
                schema = self._referred(reference)
            except (LookupError, TypeError, ValueError):
                self.skipped.append("$ref")
                return lambda _: None
            self._by_reference[reference] = later = _Later()  # the schema may refer to itself
            later.check = self.check(schema)
        return self._by_reference[reference]

    def _referred(self, reference: str) -> Any:
        found: Any = self.root
        start, *parts = reference.split("/")
        if start != "#":
            raise LookupError(reference)
        for part in parts:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found[int(name) if isinstance(found, list) else name]
        return found


def _all(checks: Iterable[Check]) -> Check:
    match list(checks):
        case [only]:
            return only
        case several:
            return lambda value: next((problem for check in several if (problem := check(value))), None)


# Values


def _number(value: Any) -> int | Decimal | None:
    """Return a number exactly, or None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _is_whole(value: Any) -> bool:
    number = _number(value)
    return number is not None and (isinstance(number, int) or number == number.to_integral_value())


_IS_OF: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "integer": _is_whole,
    "number": lambda value: _number(value) is not None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _comparable(value: Any) -> Any:
    """Return what is equal, and has one hash, for values that JSON holds equal: 1 and 1.0, but not true."""
    if isinstance(value, dict):
        return frozenset((name, _comparable(part)) for name, part in value.items())
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    number = _number(value)
    if isinstance(value, Decimal) and number is None:  # NaN and infinity, some of which have no hash
        return (Decimal, str(value))
    return (type(value), value) if number is None else number


# Keywords: each gives a check, or raises what `_Compiler.check` catches when it cannot.


def _type(_: _Compiler, schema: _Schema) -> Check:
    kinds = schema["type"]
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    tests = [_test_of(name) for name in names]
    problem = f" must be {' or '.join(map(str, names))}"
    return lambda value: None if any(test(value) for test in tests) else problem


def _test_of(name: Any) -> Callable[[Any], bool]:
    if name not in _IS_OF:
        raise ValueError(f"no type {name}")
    return _IS_OF[name]


def _enum(_: _Compiler, schema: _Schema) -> Check:
    allowed = schema["enum"]
    values = {_comparable(each) for each in allowed}
    return lambda value: None if _comparable(value) in values else " must be one of the values in its enum"


def _const(compiler: _Compiler, schema: _Schema) -> Check:
    return _enum(compiler, {"enum": [schema["const"]]})


def _limit(limit: Any) -> int | Decimal:
    number = _number(limit)
    if number is None:
        raise ValueError("a limit is a number")
    return number


def _for_numbers(is_good: Callable[[int | Decimal], bool], problem: str) -> Check:
    def check(value: Any) -> str | None:
        number = _number(value)
        return None if number is None or is_good(number) else problem

    return check


def _minimum(_: _Compiler, schema: _Schema) -> Check:
    limit = schema["minimum"]
    least = _limit(limit)
    if schema.get("exclusiveMinimum") is True:  # draft 4
        return _for_numbers(lambda number: number > least, f" must be greater than {least}")
    return _for_numbers(lambda number: number >= least, f" must be at least {least}")


def _maximum(_: _Compiler, schema: _Schema) -> Check:
    limit = schema["maximum"]
    most = _limit(limit)
    if schema.get("exclusiveMaximum") is True:  # draft 4
        return _for_numbers(lambda number: number < most, f" must be less than {most}")
    return _for_numbers(lambda number: number <= most, f" must be at most {most}")


def _exclusive_minimum(compiler: _Compiler, schema: _Schema) -> Check:
    limit = schema["exclusiveMinimum"]
    if isinstance(limit, bool):  # draft 4: `minimum` reads it
        return lambda _: None
    return _minimum(compiler, {"minimum": limit, "exclusiveMinimum": True})


def _exclusive_maximum(compiler: _Compiler, schema: _Schema) -> Check:
    limit = schema["exclusiveMaximum"]
    if isinstance(limit, bool):
        return lambda _: None
    return _maximum(compiler, {"maximum": limit, "exclusiveMaximum": True})


_EXACT = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Remainders are exact for all numbers that fit a double; of others the remainder is NaN."""


def _multiple_of(_: _Compiler, schema: _Schema) -> Check:
    step = schema["multipleOf"]
    divisor = Decimal(_limit(step))
    if divisor <= 0:
        raise ValueError("a step is greater than zero")
    return _for_numbers(
        lambda number: _EXACT.remainder(Decimal(number), divisor) == 0, f" must be a multiple of {divisor}"
    )


def _at_least(keyword: str, kind: type[Sized], unit: str) -> _MakeCheck:
    def make(_: _Compiler, schema: _Schema) -> Check:
        least = _limit(schema[keyword])
        return lambda value: (
            f" has fewer than {least} {unit}" if isinstance(value, kind) and len(value) < least else None
        )

    return make


def _at_most(keyword: str, kind: type[Sized], unit: str) -> _MakeCheck:
    def make(_: _Compiler, schema: _Schema) -> Check:
        most = _limit(schema[keyword])
        return lambda value: f" has more than {most} {unit}" if isinstance(value, kind) and len(value) > most else None

    return make


def _pattern(_: _Compiler, schema: _Schema) -> Check:
    pattern = schema["pattern"]
    search, problem = re.compile(pattern).search, " must match the pattern of its schema"
    return lambda value: problem if isinstance(value, str) and not search(value) else None


def _items(compiler: _Compiler, schema: _Schema) -> Check:
    items = schema["items"]
    first = items if isinstance(items, list) else schema.get("prefixItems") or []
    each = [compiler.check(item) for item in first]
    rest = compiler.check(schema.get("additionalItems", True) if isinstance(items, list) else items)

    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return None
        for place, part in enumerate(value):
            if problem := (each[place] if place < len(each) else rest)(part):
                return f"[{place}]{problem}"
        return None

    return check


def _prefix_items(compiler: _Compiler, schema: _Schema) -> Check:
    return (lambda _: None) if "items" in schema else _items(compiler, {**schema, "items": True})


def _unique_items(_: _Compiler, schema: _Schema) -> Check:
    is_asked = schema["uniqueItems"]

    def check(value: Any) -> str | None:
        is_good = not is_asked or not isinstance(value, list) or len(set(map(_comparable, value))) == len(value)
        return None if is_good else " must not have equal items"

    return check


def _contains(compiler: _Compiler, schema: _Schema) -> Check:
    schema_of_one = schema["contains"]
    one = compiler.check(schema_of_one)

    def check(value: Any) -> str | None:
        is_good = not isinstance(value, list) or any(one(part) is None for part in value)
        return None if is_good else " must contain an item that its schema describes"

    return check


def _required(_: _Compiler, schema: _Schema) -> Check:
    names = schema["required"]
    if not isinstance(names, list):
        raise TypeError("required is a list of names")  # but in draft 3
    wanted = required_of(schema)

    def check(value: Any) -> str | None:
        missing = [name for name in wanted if name not in value] if isinstance(value, dict) else []
        return f" must contain {missing} properties" if missing else None

    return check


def _properties(compiler: _Compiler, schema: _Schema) -> Check:
    properties = schema["properties"]
    checks = [(name, compiler.check(each)) for name, each in properties.items()]

    def check(value: Any) -> str | None:
        if isinstance(value, dict):
            for name, each in checks:
                if name in value and (problem := each(value[name])):
                    return f"{step(name)}{problem}"
        return None

    return check


def _pattern_properties(compiler: _Compiler, schema: _Schema) -> Check:
    properties = schema["patternProperties"]
    checks = [(re.compile(pattern).search, compiler.check(each)) for pattern, each in properties.items()]

    def check(value: Any) -> str | None:
        for name, part in value.items() if isinstance(value, dict) else ():
            for is_meant, each in checks:
                if is_meant(name) and (problem := each(part)):
                    return f"{step(name)}{problem}"
        return None

    return check


def _additional_properties(compiler: _Compiler, schema: _Schema) -> Check:
    schema_of_others = schema["additionalProperties"]
    known = (schema.get("properties") or {}).keys()
    patterns = [re.compile(pattern).search for pattern in schema.get("patternProperties") or {}]
    others = compiler.check(schema_of_others)

    def check(value: Any) -> str | None:
        for name, part in value.items() if isinstance(value, dict) else ():
            is_known = name in known or any(is_meant(name) for is_meant in patterns)
            if not is_known and (problem := others(part)):
                return f"{step(name)}{problem}"
        return None

    return check


def _all_of(compiler: _Compiler, schema: _Schema) -> Check:
    schemas = schema["allOf"]
    return _all([compiler.check(each) for each in schemas])


def _fitting(compiler: _Compiler, schemas: Any) -> Callable[[Any], Iterator[Check]]:
    checks = [compiler.check(each) for each in schemas]
    return lambda value: (check for check in checks if check(value) is None)


def _any_of(compiler: _Compiler, schema: _Schema) -> Check:
    schemas = schema["anyOf"]
    fitting = _fitting(compiler, schemas)
    return lambda value: None if any(fitting(value)) else " must fit one of the schemas in its anyOf"


def _one_of(compiler: _Compiler, schema: _Schema) -> Check:
    schemas = schema["oneOf"]
    fitting = _fitting(compiler, schemas)
    return lambda value: None if len(list(fitting(value))) == 1 else " must fit exactly one of the schemas in its oneOf"


def _not(compiler: _Compiler, schema: _Schema) -> Check:
    forbidden = schema["not"]
    check = compiler.check(forbidden)
    return lambda value: None if check(value) else " must not fit the schema in its not"


def _if(compiler: _Compiler, schema: _Schema) -> Check:
    condition = schema["if"]
    is_not = compiler.check(condition)
    then, otherwise = (compiler.check(schema.get(word, True)) for word in ("then", "else"))
    return lambda value: otherwise(value) if is_not(value) else then(value)


_MakeCheck = Callable[[_Compiler, _Schema], Check]
"""Makes the check of one keyword of a schema."""

_KEYWORDS: dict[str, _MakeCheck] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _at_least("minLength", str, "characters"),
    "maxLength": _at_most("maxLength", str, "characters"),
    "pattern": _pattern,
    "items": _items,
    "prefixItems": _prefix_items,
    "minItems": _at_least("minItems", list, "items"),
    "maxItems": _at_most("maxItems", list, "items"),
    "uniqueItems": _unique_items,
    "contains": _contains,
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "minProperties": _at_least("minProperties", dict, "properties"),
    "maxProperties": _at_most("maxProperties", dict, "properties"),
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
}

_UNCHECKED = frozenset({"dependencies", "dependentRequired", "dependentSchemas", "propertyNames", "$dynamicRef"})
"""Checks that no tap is known to ask for."""
