"""BATCH files, written straight from pages: JSON Lines or Parquet."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from salesforce_bulk_client import ConfigError
from salesforce_bulk_plugin.settings import as_utf8

from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.output.record_lines import ENCODER
from tap_salesforce_bulk.settings import file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa  # type: ignore[import-untyped]
    from singer_sdk.helpers._batch import BatchConfig

    Record = Mapping[str, Any]
    Write = Callable[[Any, Sequence[Record], Mapping[str, Any], str | None], None]

GZIP_LEVEL = 1
"""The files are read once, soon: they are a third larger than at the SDK's level 9, and written five times as fast."""


class BatchFiles:
    """Writes the files of one stream, as one of its stream maps returns the records."""

    def __init__(self, config: BatchConfig, *, tap: str, stream: str, schema: Mapping[str, Any]) -> None:
        """``schema`` is that of the records."""
        self._storage = replace(config.storage, root=file_name(config.storage.root))
        self._encoding = config.encoding
        self._name = f"{config.storage.prefix or ''}{tap}--{stream}-{uuid4()}"
        self._properties = schema["properties"]
        self._number = 0

    def write(self, records: Sequence[Record]) -> str:
        """Write records to a file, and return its address."""
        self._number += 1
        suffix, write = _FORMATS[self._encoding.format]
        gz = ".gz" if suffix == "jsonl" and self._encoding.compression == "gzip" else ""
        name = f"{self._name}-{self._number}.{suffix}{gz}"
        with _only_for_the_owner(), self._storage.open(name, "wb") as file:
            write(file, records, self._properties, self._encoding.compression)
        return str(as_utf8(self._storage.get_url(name)))


def check_batch_packages(batch_config: Mapping[str, Any]) -> None:
    """Check that the packages that write BATCH files are installed.

    Raises: ConfigError.
    """
    if (batch_config.get("encoding") or {}).get("format") == "parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            'batch_config asks for parquet: install "singer-salesforce-bulk[parquet]", as the README shows under'
            ' "Install"'
        )
    from fsspec import get_filesystem_class  # type: ignore[import-untyped]

    scheme, is_address, _ = str((batch_config.get("storage") or {}).get("root", "")).partition("://")
    if is_address:
        try:
            get_filesystem_class(scheme)
        except (ImportError, ValueError) as error:  # fsspec's, which names the package
            raise ConfigError(f"batch_config: files cannot be written to {scheme}://: {error}") from None


@contextmanager
def _only_for_the_owner() -> Iterator[None]:
    """Make the files that are created meanwhile readable by their owner only: they hold records.

    The umask is the process's; that does no harm, since the tap's other files are temporary and private.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _write_json_lines(
    file: Any, records: Sequence[Any], _properties: Mapping[str, Any], compression: str | None
) -> None:
    lines = ENCODER.encode_lines(records)
    file.write(gzip.compress(lines, GZIP_LEVEL) if compression == "gzip" else lines)


def _write_parquet(
    file: Any, records: Sequence[Record], properties: Mapping[str, Any], compression: str | None
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    columns = {}
    for name, property_ in properties.items():
        try:
            columns[name] = _column([record.get(name) for record in records], property_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ArithmeticError):
            raise UnexpectedValue(
                f"the values of {name} do not fit into a column of a parquet file: use jsonl"
            ) from None
    pq.write_table(pa.table(columns), file, compression=compression or "zstd")


def _column(values: list[Any], property_: Mapping[str, Any]) -> pa.Array:
    """Return a column of the type that the schema says, even where all values are null.

    A column with a number that no double holds exactly has decimals, in this file.
    """
    import pyarrow as pa

    types = property_.get("type", "string")
    kind = next((each for each in ([types] if isinstance(types, str) else types) if each != "null"), "string")
    if kind == "number" and any(isinstance(value, Decimal | int) and float(value) != value for value in values):
        return pa.array([None if value is None else Decimal(str(value)) for value in values])
    arrow = {"string": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return pa.array(values, type=arrow.get(kind))


_FORMATS: dict[str, tuple[str, Write]] = {
    "jsonl": ("jsonl", _write_json_lines),
    "parquet": ("parquet", _write_parquet),
}
