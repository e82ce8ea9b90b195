"""Texts, counts and times as people read them. Pure."""

from __future__ import annotations

from datetime import timedelta


def printable(text: str) -> str:
    r"""Return the text without what a terminal would take as a command.

    >>> printable("a\x1b[31mb\nc")
    'a?[31mb?c'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> [duration(each) for each in (0, 3.44, 75, 3700, 200000)]
    ['0.0 s', '3.4 s', '1 min 15 s', '1 h 1 min', '55 h 33 min']
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = timedelta(seconds=round(seconds))
    minutes, rest = divmod(int(whole.total_seconds()), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """Return a count with its thousands set apart.

    >>> number(1234567)
    '1,234,567'
    """
    return f"{value:,.0f}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "page"), counted(1200, "page")
    ('1 page', '1,200 pages')
    """
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def notes_on_outstanding(*, lookups: int, duplicates: int) -> list[str]:
    """Return what is special of records that are listed as not loaded; ``lookups`` are of records that are.

    >>> notes_on_outstanding(lookups=1, duplicates=2)
    ['1 is there without a lookup', '2 are duplicates for Salesforce, and may be there already']
    """
    notes = []
    if lookups:
        notes.append(f"{number(lookups)} {'is' if lookups == 1 else 'are'} there without a lookup")
    if duplicates:
        what = "is a duplicate" if duplicates == 1 else "are duplicates"
        notes.append(f"{number(duplicates)} {what} for Salesforce, and may be there already")
    return notes
