"""BATCH messages: the files hold what RECORDs would have held, and a STATE follows those of each page."""

from __future__ import annotations

import gzip
import json
import os
import stat
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from salesforce_bulk_client import ConfigError
from salesforce_bulk_simulator import Org
from singer_sdk.helpers._batch import BatchConfig
from tap_salesforce_bulk.output.batch_files import BatchFiles

from .conftest import Run, TapRunner

FORMATS = [
    {"format": "jsonl", "compression": "gzip"},
    {"format": "jsonl"},
    {"format": "parquet"},
    {"format": "parquet", "compression": "gzip"},
]


@pytest.fixture(params=FORMATS, ids=lambda each: "-".join(each.values()))
def batch_config(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Batches of two records, in each format."""
    return {"encoding": request.param, "storage": {"root": tmp_path.as_uri(), "prefix": "x-"}, "batch_size": 2}


def records_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a BATCH message's files."""
    records = []
    for url in message["manifest"]:
        path = Path(unquote(urlsplit(url).path))
        assert path.name.startswith("x-")
        if message["encoding"]["format"] == "parquet":
            records += pq.read_table(path).to_pylist()
        else:
            content = path.read_bytes()
            content = gzip.decompress(content) if message["encoding"].get("compression") == "gzip" else content
            records += [json.loads(line) for line in content.splitlines()]
    return records


def batches(run: Run, stream: str = "Account") -> list[list[dict[str, Any]]]:
    return [records_in(each) for each in run.messages if each["type"] == "BATCH" and each["stream"] == stream]


@pytest.fixture
def five(org: Org) -> None:
    """Five accounts with each kind of value."""
    org.insert(
        "Account",
        [
            {
                "Name": f"Account {number}",
                "Description": 'line\r\n"two" \u2028' if number else None,
                "AnnualRevenue": number * 1000.0,
                "BillingLatitude": number / 7,
                "NumberOfEmployees": number,
            }
            for number in range(5)
        ],
    )


def by_id(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["Id"]: record for record in records}


@pytest.mark.usefixtures("five")
def test_the_files_hold_the_records(tap: TapRunner, batch_config: dict[str, Any]) -> None:
    """With the same values and types, nulls included, and the bookmark moves as well."""
    as_records = tap.run("Account")

    run = tap.run("Account", batch_config=batch_config)

    assert run.error is None
    assert run.records == {}
    assert [len(each) for each in batches(run)] == [2, 2, 1]
    together = by_id([record for each in batches(run) for record in each])
    assert together == by_id(as_records.records["Account"])
    assert run.state == as_records.state


@pytest.mark.usefixtures("five")
@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_only_their_owner_may_read_the_files(tap: TapRunner, batch_config: dict[str, Any], tmp_path: Path) -> None:
    """They hold records; whatever the umask and the name of the folder."""
    folder = tmp_path / "a b%20c"
    batch_config["storage"]["root"] = f"file://{folder}"
    umask = os.umask(0)
    try:
        run = tap.run("Account", batch_config=batch_config)
    finally:
        os.umask(umask)

    assert run.error is None
    assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600] * 3
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.usefixtures("five")
def test_only_selected_fields_are_in_the_files(tap: TapRunner, batch_config: dict[str, Any]) -> None:
    """The SDK's own path would write all of them."""
    run = tap.run(catalog=tap.catalog(Account=["Name"]), batch_config=batch_config)

    assert all(record.keys() == {"Id", "Name", "SystemModstamp"} for each in batches(run) for record in each)


@pytest.mark.usefixtures("five")
def test_stream_maps_are_applied(tap: TapRunner, batch_config: dict[str, Any]) -> None:
    """Each map makes its own files, filters included."""
    run = tap.run(
        "Account",
        batch_config=batch_config,
        stream_maps={
            "Account": {"loud": "Name.upper()", "__filter__": "Name != 'Account 3'"},
            "names": {"__source__": "Account", "Id": "Id", "Name": "Name", "__else__": None},
        },
    )

    assert sorted(record["loud"] for each in batches(run) for record in each) == [
        "ACCOUNT 0",
        "ACCOUNT 1",
        "ACCOUNT 2",
        "ACCOUNT 4",
    ]
    assert all(record.keys() == {"Id", "Name"} for each in batches(run, "names") for record in each)
    assert sum(len(each) for each in batches(run, "names")) == 5


@pytest.mark.usefixtures("five")
def test_a_state_follows_the_files_of_each_page(tap: TapRunner, batch_config: dict[str, Any]) -> None:
    """A page of three is two files; no state says more than the files before it hold."""
    run = tap.run("Account", batch_config=batch_config, page_size=3)

    kinds = [message["type"] for message in run.messages]
    assert kinds == ["SCHEMA", "STATE", "BATCH", "BATCH", "STATE", "BATCH", "STATE"]
    assert [(state["bookmarks"]["Account"].get("job") or {}).get("records") for state in run.states] == [0, 3, None]


@pytest.mark.parametrize(
    ("module", "batch_config", "message"),
    [
        ("s3fs", {"storage": {"root": "s3://bucket/accounts"}}, "files cannot be written to s3://: Install s3fs"),
        ("pyarrow", {"encoding": {"format": "parquet"}}, 'install "singer-salesforce-bulk[parquet]"'),
    ],
)
def test_a_package_that_is_missing_is_named_before_anything_is_read(
    org: Org, tap: TapRunner, monkeypatch: pytest.MonkeyPatch, module: str, batch_config: dict[str, Any], message: str
) -> None:
    """It is an error of the settings, in one line."""
    monkeypatch.setitem(sys.modules, module, None)

    run = tap.run("Account", batch_config=batch_config)

    assert isinstance(run.error, ConfigError)
    assert message in str(run.error)
    assert org.jobs == []


def test_a_number_that_no_double_holds_stays_exact(tap: TapRunner, tmp_path: Path) -> None:
    """Its column is one of decimals in that file; a column of nothing has the type of its schema."""
    config = BatchConfig.from_dict({"encoding": {"format": "parquet"}, "storage": {"root": tmp_path.as_uri()}})
    schema = {"properties": {"a": {"type": ["number", "null"]}, "b": {"type": ["integer", "null"]}}}
    files = BatchFiles(config, tap="tap", stream="X", schema=schema)

    table = pq.read_table(
        urlsplit(files.write([{"a": Decimal("1234567890123456.78"), "b": None}, {"a": 0.1, "b": None}])).path
    )

    assert table.column("a").to_pylist() == [Decimal("1234567890123456.78"), Decimal("0.10")]
    assert table.schema.field("b").type == pa.int64()


def test_what_fits_no_parquet_column_fails_its_stream(tap: TapRunner, org: Org, tmp_path: Path) -> None:
    """It is named without its values, and the other stream is written."""
    org.insert("Account", [{"Name": "Ada"}])
    org.insert("Lead", [{"LastName": "Eve", "Company": "E"}])
    parquet = {"encoding": {"format": "parquet"}, "storage": {"root": tmp_path.as_uri()}}
    config = {"stream_maps": {"Account": {"n": "int('9' * 30)"}}, "batch_config": parquet}

    run = tap.run("Account", "Lead", **config)

    (batch,) = [each for each in run.messages if each["type"] == "BATCH"]
    assert "Account: the values of n do not fit into a column of a parquet file: use jsonl" in str(run.error)
    assert "999" not in str(run.error)
    assert batch["stream"] == "Lead"


def test_no_rows_make_no_file(tap: TapRunner, batch_config: dict[str, Any], tmp_path: Path) -> None:
    """Nor a BATCH."""
    run = tap.run("Account", batch_config=batch_config)

    assert run.error is None
    assert batches(run) == []
    assert list(tmp_path.iterdir()) == []
