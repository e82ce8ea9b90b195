"""`KnownRecords`: what an earlier, unfinished run has done, so that records which come again are not loaded again."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from target_salesforce_bulk.fingerprints import SIZE, key_fingerprint, record_fingerprint, row_fingerprint
from target_salesforce_bulk.journal import Journal, KnownKind
from target_salesforce_bulk.plan import Destination


class KnownRecords:
    """Looks records up among those with a known outcome; spilled to disk, gone at the end.

    Inserted and failed records are a multiset: each that is met again is used up. For a keyed operation only the
    latest loaded row of a key counts, and only until a row of that key is sent: from then on the order is ours.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # a private file that SQLite removes by itself
        self._db.execute(
            "CREATE TABLE remaining (kind TEXT, print BLOB, n INTEGER, PRIMARY KEY (kind, print)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE latest (key BLOB PRIMARY KEY, row BLOB) WITHOUT ROWID")
        self.is_empty = True

    def read(self, journal: Journal) -> None:
        """Take what ``journal`` knows of its org's records."""
        for kind, fingerprints in journal.known():
            self.is_empty = False
            self._add(kind, fingerprints)

    def close(self) -> None:
        """Give the file up."""
        self._db.close()

    def _add(self, kind: KnownKind, fingerprints: bytes) -> None:
        prints = [fingerprints[start : start + SIZE] for start in range(0, len(fingerprints), SIZE)]
        self._db.execute("BEGIN")
        if kind is KnownKind.KEYED:
            self._db.executemany(
                "INSERT OR REPLACE INTO latest VALUES (?, ?)", zip(prints[::2], prints[1::2], strict=True)
            )
        else:
            self._db.executemany(
                "INSERT INTO remaining VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
                ((kind.value, print_) for print_ in prints),
            )
        self._db.execute("COMMIT")

    def recall(
        self, destination: Destination, *, record: bytes, cells: Sequence[str] | None, key_text: str | None
    ) -> KnownKind | None:
        """Return what is known of a record that comes again, or None if it is to be sent."""
        if self.is_empty:
            return None
        record_print = record_fingerprint(destination)(record)
        if self._use_up(KnownKind.FAILED, record_print):
            return KnownKind.FAILED
        if cells is None:
            return None
        if key_text is not None:
            return KnownKind.KEYED if self._is_latest(destination, key_text, cells) else None
        return KnownKind.INSERTED if self._use_up(KnownKind.INSERTED, record_print) else None

    def _is_latest(self, destination: Destination, key_text: str, cells: Sequence[str]) -> bool:
        key = key_fingerprint(destination)(key_text)
        latest = self._db.execute("SELECT row FROM latest WHERE key = ?", (key,)).fetchone()
        if latest is None or latest[0] == row_fingerprint(destination)(cells):
            return latest is not None
        self._db.execute("DELETE FROM latest WHERE key = ?", (key,))
        return False

    def _use_up(self, kind: KnownKind, record_print: bytes) -> bool:
        found = self._db.execute(
            "UPDATE remaining SET n = n - 1 WHERE kind = ? AND print = ? AND n > 0", (kind.value, record_print)
        )
        return found.rowcount > 0
