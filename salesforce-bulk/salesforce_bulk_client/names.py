"""Names from outside in messages: properties, streams and what settings say. Pure."""

from __future__ import annotations


def quoted(*names: str) -> str:
    r"""Return names in quotes, with what cannot be seen escaped.

    >>> print(quoted("Name ", "\ufeffName", "a\u00a0b", "caf\u00e9"))
    'Name ', '\ufeffName', 'a\xa0b', 'café'
    """
    return ", ".join(map(repr, names))


def step(name: str) -> str:
    """Return a property as a step of a path, in brackets unless it is a plain word.

    >>> "data" + step("Name") + step("Name ")
    "data.Name['Name ']"
    """
    return f".{name}" if name.isascii() and name.isidentifier() else f"[{quoted(name)}]"
