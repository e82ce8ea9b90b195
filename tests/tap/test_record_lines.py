"""The fast path writes the very lines of the SDK's, and is taken only where nothing else would be written."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from singer_sdk.helpers._util import load_json
from tap_salesforce_bulk.output.record_lines import LineWriter
from tap_salesforce_bulk.tap import TapSalesforceBulk

from .conftest import THE_SDKS_PATH, TapRunner


class CountingWriter(LineWriter):
    """Notes how many records came each path."""

    def __init__(self) -> None:
        super().__init__()
        self.by_chunk = self.one_by_one = 0

    def write_lines(self, lines: bytes) -> None:
        self.by_chunk += lines.count(b"\n")
        super().write_lines(lines)

    def write_message(self, message: Any) -> None:
        self.one_by_one += message.to_dict()["type"] == "RECORD"
        super().write_message(message)


def read(tap: TapRunner, *, state: dict[str, Any] | None = None, **more: Any) -> tuple[CountingWriter, list[bytes]]:
    """The writer of a run, and the lines that came out of the process."""
    writer, out = CountingWriter(), BytesIO()
    stdout = TextIOWrapper(out, encoding="utf-8", write_through=True)
    with redirect_stdout(stdout):
        config = tap.config(streams_to_discover=["Account"], **more)
        TapSalesforceBulk(config=config, state=state, message_writer=writer).sync_all()
    return writer, out.getvalue().splitlines()  # before the wrapper closes it


@pytest.fixture
def rows(org: Org) -> None:
    """Accounts with each kind of value, more than one chunk of them."""
    texts = ["0012", "a\r\nb", 'say "hi"', "\u2028", "emoji \U0001f600", "NA", "\\", "\t\x01"]
    org.insert(
        "Account",
        [
            {
                "Name": f"Account {number}",
                "Description": texts[number % len(texts)],
                "AnnualRevenue": number * 1e9,
                "NumberOfEmployees": number if number % 3 else None,
                "BillingLatitude": number / 7,
            }
            for number in range(600)
        ],
    )


def without_time(line: bytes) -> bytes:
    """A RECORD line without the time at which it was made, which stands at its end."""
    message, _, time = line.partition(b',"time_extracted":"')
    assert not time or len(time) > 20
    return message


@pytest.mark.usefixtures("rows")
def test_both_paths_write_the_same_lines(tap: TapRunner) -> None:
    """Byte for byte, but for the time."""
    chunks, by_chunk = read(tap)
    sdk, one_by_one = read(tap, **THE_SDKS_PATH)

    def records(lines: list[bytes]) -> list[bytes]:
        return [without_time(line) for line in lines if b'"RECORD"' in line]

    assert (chunks.by_chunk, chunks.one_by_one) == (600, 0)
    assert (sdk.by_chunk, sdk.one_by_one) == (0, 600)
    assert records(by_chunk) == records(one_by_one)
    assert [json.loads(line)["type"] for line in by_chunk] == [json.loads(line)["type"] for line in one_by_one]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    "more",
    [
        THE_SDKS_PATH,
        {"stream_maps": {"Account": {"__filter__": "Name != 'Account 5'"}}},
        {"stream_maps": {"Account": {"__alias__": "customers"}}},
        {"stream_maps": {"Account": {"loud": "Name.upper()"}}},
    ],
)
def test_what_changes_records_takes_the_sdks_path(tap: TapRunner, more: dict[str, Any]) -> None:
    """Maps, filters, aliases and flattening are the SDK's own."""
    writer, _ = read(tap, **more)

    assert writer.by_chunk == 0
    assert writer.one_by_one >= 599


def test_fractions_in_the_state_stay_numbers(tap: TapRunner) -> None:
    """What another tap has kept there goes through as it is, by the reader and the writer that the command uses."""
    state = load_json('{"bookmarks": {"Other": {"progress": 0.1, "exact": 1234567890123456.78}}}')

    _, lines = read(tap, state=state)

    assert json.loads(lines[0])["type"] == "STATE"
    assert b'"progress":0.1,"exact":1234567890123456.78' in lines[0]
    assert b'"progress":0.1,"exact":1234567890123456.78' in lines[-1]


@pytest.mark.usefixtures("rows")
def test_records_are_counted(tap: TapRunner, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's metric says how many there were."""
    caplog.set_level("INFO")

    read(tap)

    metrics = [record.getMessage() for record in caplog.records if '"record_count"' in record.getMessage()]
    assert sum(json.loads(each.partition("METRIC: ")[2])["value"] for each in metrics) == 600
