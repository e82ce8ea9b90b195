"""A number keeps its exact value from Salesforce's text to the target, on every path."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from salesforce_bulk_client import Field
from salesforce_bulk_simulator import Fault, Org
from singer_sdk.contrib.msgspec import serialize_jsonl
from singer_sdk.helpers._batch import BatchConfig
from tap_salesforce_bulk.output.batch_files import BatchFiles
from tap_salesforce_bulk.output.chunks import Chunk, Page, chunks_of
from tap_salesforce_bulk.output.record_lines import ENCODER, RecordLines
from tap_salesforce_bulk.query.rest_fallback import RestPage
from tap_salesforce_bulk.tap import TapSalesforceBulk

from .conftest import THE_SDKS_PATH, Pipe, TapRunner

FIELDS = [Field.from_json({"name": "Amount", "type": "double"}), Field.from_json({"name": "Count", "type": "long"})]

CELLS = [
    "9007199254740993",
    "9999999999999999",
    "9007199254740993.0",
    "999999999999999999",
    "-9007199254740993",
    "1234567890123456.78",
    "0.123456789012345678",
    "9.12260031E8",
    "1.234567890123456789E17",
    "1.0E-10",
    "0.0",
    "-0.0",
    "999999999999999",
    "99999999999999.9",
]
"""Where doubles, and the shortcut for short numbers, end; and how Salesforce writes."""


class CsvPage:
    """One row of cells, as a page of a query job has them."""

    def __init__(self, cells: list[str]) -> None:
        self.columns = ["Amount", "Count"]
        self.number_of_records = 1
        self.nul_count = 0
        self._cells = cells

    def rows(self) -> Any:
        return iter([self._cells])


def only_chunk(page: Page) -> Chunk:
    (chunk,) = chunks_of(page, fields=FIELDS)
    return chunk


def by_rest(cell: str, count: str) -> Chunk:
    """The row as a REST query answers it: JSON numbers, read as the client reads them."""
    record = msgspec.json.Decoder(float_hook=Decimal).decode(f'{{"Amount": {cell}, "Count": {count}}}')
    return only_chunk(RestPage([record], columns=["Amount", "Count"]))


def exactly(line: bytes) -> dict[str, Any]:
    """The record in a line, its numbers unrounded."""
    decoded = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    record: dict[str, Any] = decoded.get("record", decoded)
    return record


def as_lines(chunk: Chunk) -> dict[str, Any]:
    """By whole chunks."""
    return exactly(RecordLines("X", names=chunk.names).of(chunk))


def one_by_one(chunk: Chunk) -> dict[str, Any]:
    """As the SDK writes."""
    return exactly(bytes(serialize_jsonl(next(chunk.records()))))


def in_batch(chunk: Chunk) -> dict[str, Any]:
    """As a line of a BATCH file."""
    return exactly(ENCODER.encode_lines(list(chunk.records())))


DIGITS = st.text("0123456789", min_size=1, max_size=18)


@st.composite
def decimals(draw: st.DrawFn) -> str:
    """Any decimal of up to 18 digits, in each form in which Salesforce writes numbers."""
    digits = draw(DIGITS)
    point = draw(st.integers(0, len(digits) - 1))
    whole, fraction = digits[: point + 1], digits[point + 1 :]
    text = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return draw(st.sampled_from(["", "-"])) + text + draw(st.sampled_from(["", "E7", "E-7", "E17"]))


def each_example(test: Callable[..., None]) -> Callable[..., None]:
    """The test, which always begins with `CELLS`."""
    for cell in CELLS:
        test = example(cell=cell)(test)
    return test


@each_example
@given(cell=decimals())
def test_every_decimal_keeps_its_value_on_every_path(cell: str) -> None:
    """By Bulk and by REST, as RECORD lines, through the SDK and in BATCH files."""
    count = str(int(Decimal(cell).to_integral_value()) % 2**63)  # the greatest long is one less

    for chunk in (only_chunk(CsvPage([cell, count])), by_rest(cell, count)):
        for path in (as_lines, one_by_one, in_batch):
            assert path(chunk) == {"Amount": Decimal(cell), "Count": Decimal(count)}


@pytest.mark.parametrize(("cell", "whole"), [("0.0", 0), ("-0.0", 0), ("9.12260031E8", 912260031), ("-0", 0)])
def test_an_int_that_is_written_as_a_double_is_whole(cell: str, whole: int) -> None:
    """A schema of integers takes no fraction."""
    (record,) = only_chunk(CsvPage(["", cell])).records()

    assert record["Count"] == whole
    assert isinstance(record["Count"], int)


@each_example
@settings(deadline=None, max_examples=40)
@given(cell=decimals())
def test_every_decimal_keeps_its_value_in_parquet(cell: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Beside another number of another size, too."""
    root = tmp_path_factory.getbasetemp() / "parquet"
    config = BatchConfig.from_dict({"encoding": {"format": "parquet"}, "storage": {"root": root.as_uri()}})
    schema = {"properties": {"Amount": {"type": ["number", "null"]}}}
    records = [next(only_chunk(CsvPage([each, ""])).records()) for each in (cell, "0.25", "")]

    address = BatchFiles(config, tap="tap", stream="X", schema=schema).write(records)

    values = pq.read_table(urlsplit(address).path).column("Amount").to_pylist()
    assert [None if value is None else Decimal(str(value)) for value in values] == [
        Decimal(cell),
        Decimal("0.25"),
        None,
    ]


CSV = '"Id","AnnualRevenue","SystemModstamp"\n' + "".join(
    f'"001{number:015}","{cell}","2024-01-15T10:30:00.000Z"\n' for number, cell in enumerate(CELLS)
)
PATHS: dict[str, dict[str, Any]] = {
    "records": {},
    "through the SDK": THE_SDKS_PATH,
    "jsonl": {"batch_config": {"encoding": {"format": "jsonl", "compression": "gzip"}}},
    "parquet": {"batch_config": {"encoding": {"format": "parquet"}}},
}


class ExactPipe(Pipe):
    """Keeps each line with its numbers unrounded."""

    def _write(self, line: bytes) -> None:
        self.messages.append(json.loads(line, parse_float=Decimal))


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_numbers_arrives_as_it_was_sent(org: Org, tap: TapRunner, tmp_path: Path, path: str) -> None:
    """From the answer of Salesforce to what the target reads."""
    org.insert("Account", [{"Name": "x"} for _ in CELLS])  # so that the job counts as many rows
    answer = Fault.status(200, body=CSV, headers={"Content-Type": "text/csv", "Sforce-Locator": "null"})
    org.faults.add("query.results", answer)
    more: dict[str, Any] = {**PATHS[path]}
    if "batch_config" in more:
        more["batch_config"] = {**more["batch_config"], "storage": {"root": tmp_path.as_uri()}}
    pipe = ExactPipe()

    catalog = tap.catalog(Account=["AnnualRevenue"])
    TapSalesforceBulk(config=tap.config(**more), catalog=catalog, message_writer=pipe).sync_all()

    assert org.faults.completed
    assert written(pipe.messages) == [Decimal(cell) for cell in CELLS]


def written(messages: list[dict[str, Any]]) -> list[Decimal]:
    """The numbers that came out, by Id."""
    records = [each["record"] for each in messages if each["type"] == "RECORD"]
    for url in [url for each in messages if each["type"] == "BATCH" for url in each["manifest"]]:
        file = Path(unquote(urlsplit(url).path))
        if file.suffix == ".parquet":
            records += pq.read_table(file).to_pylist()
        else:
            lines = gzip.decompress(file.read_bytes()).splitlines()
            records += [json.loads(line, parse_float=Decimal) for line in lines]
    return [Decimal(record["AnnualRevenue"]) for record in sorted(records, key=lambda each: str(each["Id"]))]
