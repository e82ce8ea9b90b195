"""A page as its reader finds it: tags that are closed in order, text, tables and links."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_VOID = {"br", "meta"}


class ParsedPage(HTMLParser):
    """Parses a file; a tag that is not closed in its turn is an error."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.tags: set[str] = set()
        self._open: list[str] = []
        self._elements: list[tuple[str, list[str], list[str]]] = []
        """Each element's name, the names of those around it, and its pieces of text."""
        self._texts: list[list[str]] = []
        self._attributes: list[tuple[str, dict[str, str | None]]] = []
        self._tables: dict[str, list[list[list[str]]]] = {}
        self._rows: list[list[list[str]]] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        if self._open:
            raise AssertionError(f"not closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        given = dict(attrs)
        self._attributes.append((tag, given))
        if tag in _VOID:
            return
        text: list[str] = []
        self._elements.append((tag, list(self._open), text))
        self._open.append(tag)
        self._texts.append(text)
        if tag == "div" and given.get("role") == "region":
            self._rows = self._tables.setdefault(given["aria-label"] or "", [])
        if tag == "tr":
            self._rows.append([])
        if tag in {"td", "th"}:
            self._rows[-1].append(text)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that is closed at once."""
        self.tags.add(tag)
        self._attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        if self._open.pop() != tag:
            raise AssertionError(f"</{tag}> at {self.getpos()} closes nothing")
        self._texts.pop()

    def handle_data(self, data: str) -> None:
        """Note text, for all elements around it."""
        for text in self._texts:
            text.append(data)

    @property
    def text(self) -> str:
        """All that the body says."""
        return "".join(self.text_of("body"))

    def text_of(self, tag: str, *, inside: str = "") -> list[str]:
        """The text of each element of a name, or of those inside another."""
        return [
            "".join(text) for name, around, text in self._elements if name == tag and (not inside or inside in around)
        ]

    def attributes(self, tag: str, name: str) -> list[str]:
        """The values of an attribute."""
        return [given[name] or "" for found, given in self._attributes if found == tag and name in given]

    def rows(self, caption: str) -> list[list[str]]:
        """The cells of a table, or of all with this caption, heads left out."""
        rows = [["".join(cell) for cell in row] for row in self._tables[caption]]
        return [row for row in rows if row != rows[0]]

    def linked_files(self) -> set[Path]:
        """The files that links lead to, all of which must be there."""
        links = [link for link in self.attributes("a", "href") if not link.startswith(("#", "https:"))]
        return {(self.path.parent / unquote(link)).resolve(strict=True) for link in links}
