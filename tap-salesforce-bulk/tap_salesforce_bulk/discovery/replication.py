"""How the catalog asks for a stream to be replicated, under each of the names that programs write.

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
        """Return what discovery finds, as an entry of a catalog changes it.

        Discovery writes what it finds into the catalog, so only values that differ from that count; but a method in the
        metadata, where discovery writes none, always counts.

        Raises: ConfigError if the entry contradicts itself, or asks for the impossible.
        """
        for name, keys in _values(entry, _PRIMARY_KEYS, found=[*self.primary_keys]).items():
            raise ConfigError(
                f"the catalog's {name} is {keys!r}, but the key of the object is {[*self.primary_keys]}: leave it out;"
                " __key_properties__ in stream_maps gives the target other keys"
            )
        given = _values(entry, _METHOD, found=None)
        method = _one_value({name: value for name, value in given.items() if "-" in name or value != self.method})
        if method not in {None, REPLICATION_INCREMENTAL, REPLICATION_FULL_TABLE}:
            raise ConfigError(
                f"the catalog asks for replication method {method}, but there is only {REPLICATION_INCREMENTAL}, which"
                f" also reads deleted rows, and {REPLICATION_FULL_TABLE}"
            )
        key = _one_value(_values(entry, _KEY, found=self.replication_key))
        return Replication(
            method=method or (REPLICATION_INCREMENTAL if key else self.method),
            replication_key=key or self.replication_key,
            primary_keys=self.primary_keys,
        )


def _values(entry: Mapping[str, Any], names: Sequence[str], *, found: Any) -> dict[str, Any]:
    """Return the entry's values under these names in both spellings, unless they are what discovery finds."""
    roots = [each["metadata"] for each in entry.get("metadata") or () if not each["breadcrumb"]]
    places = [(name, root.get(name)) for root in roots for name in names]
    places += [(name, entry.get(name)) for name in (name.replace("-", "_") for name in names)]
    return {name: value for name, value in places if value not in (None, found)}


def _one_value(values: Mapping[str, Any]) -> str | None:
    """Return the one value that the catalog gives; None if it gives none.

    >>> _one_value({"replication-key": "CreatedDate", "replication_key": "CreatedDate"})
    'CreatedDate'

    Raises: ConfigError.
    """
    if len({str(value) for value in values.values()}) > 1:
        both = " and ".join(f"{name} {value}" for name, value in values.items())
        raise ConfigError(f"the catalog asks for {both}: leave one out")
    return next((str(value) for value in values.values()), None)
