"""Records out of the files that a BATCH message names, one at a time; from then on they are records like any other."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time
from typing import IO, Any

from salesforce_bulk_client.records.cells import decode_json
from upath import UPath

from target_salesforce_bulk.errors import InputBroken

Record = dict[str, Any]


def records_of(path: str, *, encoding: Mapping[str, Any], storage: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the records of one file; ``storage`` is its part of ``batch_config``, such as credentials.

    Raises: InputBroken; OSError.
    """
    read = _READERS.get((encoding.get("format"), encoding.get("compression")))
    if read is None:
        raise InputBroken(
            f"a BATCH of format {encoding.get('format')!r} with compression {encoding.get('compression')!r};"
            " jsonl (plain or gzip) and parquet can be read"
        )
    try:
        opened = UPath(path, **(storage.get("params") or {})).open("rb")
    except ImportError as error:  # fsspec's, which names the package
        raise InputBroken(f"the batch file {path} cannot be opened: {error}") from None
    with opened as file:
        try:
            yield from read(file)
        except InputBroken as error:
            raise InputBroken(f"the batch file {path} is broken: {error}") from None
        except (EOFError, gzip.BadGzipFile) as error:
            raise InputBroken(f"the batch file {path} is broken: {error}") from error


def _json_lines(file: Iterable[bytes]) -> Iterator[Record]:
    for number, line in enumerate(file, 1):
        if line.isspace():
            continue
        try:
            record = decode_json(line)
        except ValueError as error:
            raise InputBroken(f"line {number} is not valid JSON: {error}") from None
        if not isinstance(record, dict):
            raise InputBroken(f"line {number} is not a record")
        yield record


def _gzipped_json_lines(file: IO[bytes]) -> Iterator[Record]:
    with gzip.open(file) as lines:
        yield from _json_lines(lines)


def _parquet(file: IO[bytes]) -> Iterator[Record]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputBroken(
            'parquet needs an extra: install "singer-salesforce-bulk[parquet]", as the README shows under "Install"'
        ) from None
    try:
        for batch in parquet.ParquetFile(file).iter_batches(batch_size=1000):
            for record in batch.to_pylist():
                yield {name: _as_in_json(value) for name, value in record.items()}
    except ValueError as error:  # pyarrow's errors of format
        raise InputBroken(str(error)) from error


def _as_in_json(value: Any) -> Any:
    """Return dates and times as a RECORD would have them: text."""
    return value.isoformat() if isinstance(value, date | time) else value


_READERS: dict[tuple[Any, Any], Callable[[IO[bytes]], Iterator[Record]]] = {
    ("jsonl", "gzip"): _gzipped_json_lines,
    ("jsonl", "none"): _json_lines,
    ("jsonl", None): _json_lines,
    **{("parquet", compression): _parquet for compression in (None, "none", "gzip", "snappy", "zstd", "brotli", "lz4")},
}
