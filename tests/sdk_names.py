"""Which private names of the Singer SDK our code rests on: ``python -m tests.sdk_names`` writes them into PAGE.

They are found in the code: imports of private modules and names, and in each class whose bases include one of the SDK's
the private names that it uses or overrides, and the final methods that it overrides.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import singer_sdk

PACKAGES = ("tap_salesforce_bulk", "target_salesforce_bulk", "salesforce_bulk_plugin", "salesforce_bulk_companion")
PAGE = Path(__file__).parents[1] / "docs" / "decisions" / "0009-private-names-of-the-sdk.md"
HEAD = "| name of the SDK's | what rests on it |\n|---|---|\n"


class Use(NamedTuple):
    """One name of the SDK's, and what of ours does what with it."""

    name: str
    """``module:Class.attribute``, or ``module:name`` of what is imported."""
    user: str
    """``package: Class`` or ``package``."""
    how: str


def uses() -> set[Use]:
    """Return all that our code uses."""
    modules = [module for package in PACKAGES for module in modules_of(package)]
    finders = (imports_in, uses_in_classes, uses_elsewhere)
    return {use for module in modules for find in finders for use in find(module)}


def modules_of(package: str) -> Iterator[ModuleType]:
    """Give a package's modules, imported."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def imports_in(module: ModuleType) -> Iterator[Use]:
    """Give the imports of private modules, and of private names from public ones."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom) and is_sdk(node.module or ""):
            paths = [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            paths = [(alias.name, "") for alias in node.names if is_sdk(alias.name)]
        else:
            continue
        for path, name in paths:
            if any(is_private(part) for part in (*path.split("."), name)):
                yield Use(f"{path}:{name}".rstrip(":"), package_of(module), "imports it")


def uses_in_classes(module: ModuleType) -> Iterator[Use]:
    """Give what the module's classes, and our classes among their bases, override and use of the SDK's."""
    for whole in vars(module).values():
        if not inspect.isclass(whole) or whole.__module__ != module.__name__:
            continue
        for part in (each for each in whole.__mro__ if each.__module__.partition(".")[0] in PACKAGES):
            user = f"{part.__module__.partition('.')[0]}: {part.__name__}"
            for name in attributes_of(part) | attributes_read_in(part):
                home = home_of(name, whole)
                is_own = name in attributes_of(part)
                if home and is_private(name):
                    yield Use(spelled(home, name), user, "replaces it" if is_own else "uses it")
                elif home and is_own and is_final(home, name):
                    yield Use(spelled(home, name), user, "replaces it, though it is final")


def uses_elsewhere(module: ModuleType) -> Iterator[Use]:
    """Give private names that only the SDK has and that are read of other objects than ``self``, or stand in a text."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Attribute) and not is_self(node.value):
            name = node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value
        else:
            continue
        if name in sdk_attributes() and name not in our_attributes(PACKAGES):
            yield Use(sdk_attributes()[name], package_of(module), "uses it")


def home_of(name: str, ours: type) -> type | None:
    """Return the class of the SDK's from which one of ours has a name."""
    return next((base for base in ours.__mro__ if is_sdk(base.__module__) and name in attributes_of(base)), None)


@cache
def attributes_of(cls: type) -> frozenset[str]:
    """Return the names that a class defines, in its body or by assignment to ``self``."""
    return frozenset({*vars(cls), *vars(cls).get("__annotations__", ()), *attributes_set_in(cls)})


@cache
def attributes_set_in(cls: type) -> frozenset[str]:
    """Return the names that a class assigns to ``self``."""
    return frozenset(node.attr for node in self_attributes(cls) if isinstance(node.ctx, ast.Store))


@cache
def attributes_read_in(cls: type) -> frozenset[str]:
    """Return the names that a class reads of ``self``, ``cls`` or ``super()``."""
    return frozenset(node.attr for node in self_attributes(cls) if isinstance(node.ctx, ast.Load))


def self_attributes(cls: type) -> Iterator[ast.Attribute]:
    """Give the accesses to attributes of ``self`` in a class's source."""
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # made by a function, such as a named tuple's base
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_self(node.value):
            yield node


def is_self(node: ast.expr) -> bool:
    """Whether an expression is ``self``, ``cls`` or ``super()``.

    >>> [is_self(ast.parse(text, mode="eval").body) for text in ("self", "cls", "super()", "sink")]
    [True, True, True, False]
    """
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}


@cache
def sdk_attributes() -> dict[str, str]:
    """Return the private names of all classes of the SDK's, each with the first place where it is defined."""
    root = Path(singer_sdk.__file__).parent
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
        for cls in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(cls, ast.ClassDef):
                for name in filter(is_private, names_defined_in(cls)):
                    found.setdefault(name, f"{module}:{cls.name}.{name}")
    return found


def names_defined_in(node: ast.AST) -> list[str]:
    """Return the names that functions and assignments within a piece of source define, those of ``self`` included.

    >>> names_defined_in(ast.parse("self.a = b = lambda: c"))
    ['a', 'b']
    """
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(each.name)
        elif isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Store):
            found.append(each.id if isinstance(each, ast.Name) else each.attr)
    return found


@cache
def our_attributes(packages: tuple[str, ...]) -> frozenset[str]:
    """Return the names that any code of ours defines."""
    trees = [tree_of(module) for package in packages for module in modules_of(package)]
    return frozenset(name for tree in trees for name in names_defined_in(tree))


@cache
def tree_of(module: ModuleType) -> ast.Module:
    assert module.__file__
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


def is_sdk(module: str) -> bool:
    return module.partition(".")[0] == "singer_sdk"


def is_private(name: str) -> bool:
    """Whether a name has a single leading underscore, and not only because Python's ``abc`` writes it."""
    return bool(re.match(r"_[^_]", name)) and name != "_abc_impl"


def is_final(cls: type, name: str) -> bool:
    """Whether ``typing.final`` marks a method."""
    found = inspect.getattr_static(cls, name, None)
    return bool(getattr(getattr(found, "__func__", getattr(found, "fget", found)), "__final__", False))


def spelled(cls: type, name: str) -> str:
    return f"{cls.__module__}:{cls.__qualname__}.{name}"


def package_of(module: ModuleType) -> str:
    return module.__name__.partition(".")[0]


def table(found: set[Use]) -> str:
    """Return the table as it stands on the page: a line for each name."""
    by_name = defaultdict(list)
    for use in sorted(found):
        by_name[use.name].append(f"`{use.user}` {use.how}")
    return HEAD + "".join(f"| `{name}` | {', '.join(users)} |\n" for name, users in sorted(by_name.items()))


def table_on_page() -> str:
    """Return the table that the page has."""
    lines = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].splitlines(keepends=True)
    return HEAD + "".join(takewhile(lambda line: line.startswith("|"), lines))


def names_on_page() -> dict[str, str]:
    """Return the names that the page has, each with what rests on it."""
    return dict(re.findall(r"^\| `([\w.:]+:[\w.]+|[\w.]+)` \| (.+) \|$", table_on_page(), re.MULTILINE))


def is_in_sdk(name: str) -> bool:
    """Whether the installed SDK has a name of the table.

    >>> is_in_sdk("singer_sdk.tap_base:Tap._handle_termination"), is_in_sdk("singer_sdk.tap_base:Tap._gone")
    (True, False)
    """
    module, _, path = name.partition(":")
    try:
        found: object = importlib.import_module(module)
        *holders, last = path.split(".") if path else ["__name__"]
        for holder in holders:
            found = getattr(found, holder)
    except (ImportError, AttributeError):
        return False
    return last in attributes_of(found) if inspect.isclass(found) else hasattr(found, last)


def main() -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(table_on_page(), table(uses())), encoding="utf-8")


if __name__ == "__main__":
    main()
