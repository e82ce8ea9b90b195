"""The mutants of a module: plausible mistakes, made by Cosmic Ray's operators and two of our own."""

from __future__ import annotations

import difflib
import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Name
from parso.tree import search_ancestor

_AUGMENTED = {"+=", "-=", "*=", "/=", "//=", "|=", "&="}
_LOG_LINE = re.compile(r"(self\.)?_?(logger|logging|log)\b")


def _raw(code: str, node: Any) -> Name:
    """A node that stands for ``code`` as it is."""
    return Name(code, node.start_pos)


class StatementRemoved(Operator):
    """Leaves out a call, a raise, a return, or what changes an attribute, an item or a sum."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        statement = node.children[0] if node.type == "simple_stmt" else None
        if statement is None:
            return
        is_change = statement.type == "expr_stmt" and (
            statement.children[0].type == "atom_expr" or statement.children[1].get_code().strip() in _AUGMENTED
        )
        if is_change or statement.type in {"atom_expr", "power", "yield_expr", "raise_stmt", "return_stmt", "del_stmt"}:
            yield (statement.start_pos, statement.end_pos)

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ARG002
        node.children[0] = _raw(node.get_first_leaf().prefix + "pass", node)
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class ElementRemoved(Operator):
    """Leaves out one keyword argument of a call, or one element of a tuple, list, set or dict."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for element in self._elements(node):
            yield (element[0].start_pos, element[-1].end_pos)

    def mutate(self, node: Any, index: int) -> Any:
        removed = self._elements(node)[index]
        kept = [element for element in self._split(node) if element != removed]
        return _raw("".join("".join(part.get_code() for part in element) + "," for element in kept), node)

    def _elements(self, node: Any) -> list[list[Any]]:
        if node.type not in {"arglist", "testlist_comp", "dictorsetmaker"}:
            return []
        elements = self._split(node)
        if node.type == "arglist":
            return [[e] for [e, *_] in elements if e.type == "argument" and e.children[1] == "="]
        is_comprehension = any(child.type in {"comp_for", "sync_comp_for"} for child in node.children)
        return [] if is_comprehension or len(elements) < 2 else elements

    @staticmethod
    def _split(node: Any) -> list[list[Any]]:
        elements: list[list[Any]] = [[]]
        for child in node.children:
            if child == ",":
                elements.append([])
            else:
                elements[-1].append(child)
        return [element for element in elements if element]

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


_PAIRS = ["Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot", "IsNot_Is"]
_SUMS = ["Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Mul", "BitOr_BitAnd", "BitAnd_BitOr"]
_OTHERS = [
    *["AddNot", "ReplaceUnaryOperator_Delete_Not", "ReplaceAndWithOr", "ReplaceOrWithAnd"],
    *["ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceBreakWithContinue", "ReplaceContinueWithBreak"],
    *["NumberReplacer", "ExceptionReplacer", "ZeroIterationForLoop"],
]
_NAMES = [f"ReplaceComparisonOperator_{n}" for n in _PAIRS] + [f"ReplaceBinaryOperator_{n}" for n in _SUMS] + _OTHERS
OPERATORS: list[Operator] = [*(OperatorProvider()[name]() for name in _NAMES), StatementRemoved(), ElementRemoved()]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed source of a module; ``path`` is relative to the project."""

    path: str
    source: str
    diff: str

    @property
    def key(self) -> str:
        """The same for the same change of the same source."""
        return hashlib.sha256(f"{self.path}\n{self.source}".encode()).hexdigest()[:16]

    @property
    def change(self) -> tuple[str, str]:
        """The first line taken out and the first put in, without indentation."""
        lines = self.diff.splitlines()[2:]
        return tuple(next((line[1:].strip() for line in lines if line[0] == sign), "") for sign in "-+")  # type: ignore[return-value]


def sample(root: Path, path: str, *, size: int, seed: int, equivalent: set[tuple[str, str]]) -> list[Mutant]:
    """Up to ``size`` mutants of the module at ``path``, each at its own place, without ``equivalent`` changes."""
    source = (root / path).read_text("utf-8")
    places: dict[Any, list[tuple[Operator, int]]] = {}
    for position, operator, occurrence in _places(source):
        places.setdefault(position, []).append((operator, occurrence))
    chance = random.Random(f"{seed}:{path}")
    found: dict[str, Mutant] = {}
    for position in chance.sample(sorted(places), len(places)):
        if len(found) == size:
            break
        try:
            mutated = mutate_code(source, *chance.choice(places[position]))
        except AttributeError:  # Cosmic Ray's ExceptionReplacer takes no dotted name
            continue
        lines = difflib.unified_diff(
            *(s.splitlines(keepends=True) for s in (source, mutated)), f"a/{path}", f"b/{path}"
        )
        mutant = Mutant(path=path, source=mutated, diff="".join(lines))
        if mutant.change not in equivalent and _bytecode(mutated) not in {None, _bytecode(source)}:
            found.setdefault(mutant.key, mutant)
    return list(found.values())


def _places(source: str) -> Iterator[tuple[Any, Operator, int]]:
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for operator in OPERATORS:
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(positions):
            if not _is_idle(tree.get_leaf_for_position(start), operator):
                yield start, operator, occurrence


def _is_idle(leaf: Any, operator: Operator) -> bool:
    """Whether no promise hangs on it: annotations, decorators, log lines, words of errors, constants of the module."""
    if leaf.value in {"TYPE_CHECKING", "assert"}:
        return True
    is_inside_function, child, node = False, leaf, leaf.parent
    definition = search_ancestor(leaf, "funcdef")
    function = definition.name.value if definition else ""
    kinds = set()
    while node is not None:
        kinds.add(node.type)
        is_inside_function |= node.type in {"funcdef", "classdef", "lambdef"}
        is_annotation = (
            (node.type in {"annassign", "tfpdef"} and child is not node.children[-1])
            or (node.type == "annassign" and len(node.children) == 2)
            or (node.type == "tfpdef" and child is node.children[-1])
            or (node.type == "funcdef" and child is node.annotation)
        )
        is_log_line = node.type == "atom_expr" and _LOG_LINE.match(node.get_code(include_prefix=False))
        is_first_value = node.type == "expr_stmt" and function == "__init__" and isinstance(operator, StatementRemoved)
        if is_annotation or is_log_line or is_first_value or node.type in {"decorator", "assert_stmt"}:
            return True
        child, node = node, node.parent
    return {"raise_stmt", "fstring"} <= kinds or (not is_inside_function and not isinstance(operator, ElementRemoved))


def _bytecode(source: str) -> tuple[Any, ...] | None:
    """Return what Python runs, without line numbers: the same for changes that alter nothing; None if it is no code."""
    try:
        return _instructions(compile(source, "mutant", "exec"))
    except SyntaxError:
        return None


def _instructions(code: CodeType) -> tuple[Any, ...]:
    constants = [_instructions(each) if isinstance(each, CodeType) else (type(each), each) for each in code.co_consts]
    names = (code.co_names, code.co_varnames, code.co_freevars)
    return code.co_code, code.co_exceptiontable, names, *constants
