"""`element`: HTML as nested calls, in which every text is escaped unless it was made here."""

from __future__ import annotations

from html import escape


class Markup(str):
    """HTML that may stand as it is."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: str | None) -> Markup:
    """Return an element; children and attributes that are None are left out.

    A trailing underscore of an attribute is dropped, others become hyphens.

    >>> element("td", "a < b", element("br"), class_="number", data_id=None)
    '<td class="number">a &lt; b<br></td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in {"br", "meta", "path", "line"}:
        return Markup(f"<{name}{given}{'' if name in {'br', 'meta'} else '/'}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Markup:
    """Return the children one after the other, those that are plain text escaped."""
    return Markup(
        "".join(child if isinstance(child, Markup) else escape(_visible(child)) for child in children if child)
    )


def table(
    head: list[str], rows: list[list[str]], *, caption: str, numbers: set[str] | None = None, class_: str | None = None
) -> Markup:
    """Return a table that scrolls by itself where it is too wide; ``numbers`` names the columns to set to the right.

    The first cell of each row is its heading.
    """
    classes = ["number" if numbers and name in numbers else None for name in head]
    heads = [element("th", name, scope="col", class_=kind) for name, kind in zip(head, classes, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [element("th", first, scope="row")]
        cells += [element("td", cell, class_=kind) for cell, kind in zip(others, classes[1:], strict=True)]
        lines.append(element("tr", *cells))
    whole = element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", element("tr", *heads)),
        element("tbody", *lines),
        class_=class_,
    )
    return element("div", whole, class_="scrolls", role="region", aria_label=caption, tabindex="0")


def _visible(text: str) -> str:
    """Return the text without control characters, which HTML has no place for."""
    return "".join(one if one.isprintable() or one == "\n" else " " for one in text)
