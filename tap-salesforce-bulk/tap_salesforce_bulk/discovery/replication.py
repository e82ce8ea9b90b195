"""What a catalog says about how a stream is replicated, under each of the names that programs write.

The Singer specification has them in the stream's metadata (breadcrumb ``[]``), with hyphens; older catalogs, and the
SDK's discovery, beside it, with underscores; Meltano writes both. The SDK reads only some of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConfigError
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

if TYPE_CHECKING:
    from collections.abc import Sequence

_METHOD = ("replication-method", "forced-replication-method")
_KEY = ("replication-key",)
_PRIMARY_KEYS = ("table-key-properties", "key-properties")


@dataclass(frozen=True, kw_only=True)
class Replication:
    """How a stream is read, and by which keys."""

    method: str
    replication_key: str | None
    primary_keys: Sequence[str]

    def changed_by(self, entry: Mapping[str, Any]) -> Replication:
        """Return this, which is what discovery finds, as an entry of a catalog changes it.

        Discovery writes into the catalog what it finds, so only words that differ from that count; but a method in the
        metadata, where discovery writes none, always counts.

        Raises: ConfigError if the entry asks for two different things, or for what cannot be.
        """
        for name, keys in _words(entry, _PRIMARY_KEYS, found=[*self.primary_keys]).items():
            raise ConfigError(
                f"the catalog's {name} is {keys!r}, but the key of the object is {[*self.primary_keys]}: leave it out;"
                " __key_properties__ in stream_maps gives the target other keys"
            )
        said = _words(entry, _METHOD, found=None)
        method = _agreed({name: word for name, word in said.items() if "-" in name or word != self.method})
        if method not in {None, REPLICATION_INCREMENTAL, REPLICATION_FULL_TABLE}:
            raise ConfigError(
                f"the catalog asks for replication method {method}, but there is only {REPLICATION_INCREMENTAL}, which"
                f" also reads deleted rows, and {REPLICATION_FULL_TABLE}"
            )
        key = _agreed(_words(entry, _KEY, found=self.replication_key))
        return Replication(
            method=method or (REPLICATION_INCREMENTAL if key else self.method),
            replication_key=key or self.replication_key,
            primary_keys=self.primary_keys,
        )


def _words(entry: Mapping[str, Any], names: Sequence[str], *, found: Any) -> dict[str, Any]:
    """Return what the entry has under these names in both spellings, unless it is what was found."""
    roots = [each["metadata"] for each in entry.get("metadata") or () if not each["breadcrumb"]]
    places = [(name, root.get(name)) for root in roots for name in names]
    places += [(name, entry.get(name)) for name in (name.replace("-", "_") for name in names)]
    return {name: word for name, word in places if word not in (None, found)}


def _agreed(words: Mapping[str, Any]) -> str | None:
    """Return the one word that is said; None for none.

    >>> _agreed({"replication-key": "CreatedDate", "replication_key": "CreatedDate"})
    'CreatedDate'

    Raises: ConfigError.
    """
    if len({str(word) for word in words.values()}) > 1:
        both = " and ".join(f"{name} {word}" for name, word in words.items())
        raise ConfigError(f"the catalog asks for {both}: leave one out")
    return next((str(word) for word in words.values()), None)
