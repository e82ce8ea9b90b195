"""BATCH messages are RECORDs in files; ACTIVATE_VERSION deletes nothing; a stream that waits is sent in parts."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import InputBroken, RecordsFailed

from tests.target.conftest import Message, TargetRunner, records, schema, state

ACCOUNT = schema(
    "Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"], AnnualRevenue="number"
)
ROWS = [
    {"External_Id__c": "a", "Name": "Ada", "AnnualRevenue": 12.0},
    {"External_Id__c": "b", "Name": None},
    {"External_Id__c": "c", "Name": 5},
]


def batch(*paths: Path, compression: str | None = "gzip", format: str = "jsonl") -> Message:  # noqa: A002
    """A BATCH message for files."""
    return {
        "type": "BATCH",
        "stream": "Account",
        "encoding": {"format": format, "compression": compression},
        "manifest": [path.as_uri() for path in paths],
    }


def lines_of(*rows: Any) -> bytes:
    """Records as a batch file has them."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("compression", ["gzip", "none", None])
def test_records_of_a_batch_are_records(
    org: Org, target: TargetRunner, tmp_path: Path, compression: str | None
) -> None:
    """Checked, converted, and told of one by one; STATE after the message waits for them."""
    path = tmp_path / "one.jsonl"
    data = lines_of(*ROWS)
    path.write_bytes(gzip.compress(data) if compression == "gzip" else data)

    run = target.run(ACCOUNT, batch(path, compression=compression), state({"n": 3}))

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 3}]
    assert run.error_codes == [None, "REQUIRED_FIELD_MISSING", "INVALID_RECORD"]
    assert [(row["Name"], row["AnnualRevenue"]) for row in org.rows("Account")] == [("Ada", 12.0)]


def test_files_that_no_installed_package_opens_are_one_line(
    org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the package; nothing is loaded, and no STATE passes."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    message = {**batch(), "manifest": ["s3://bucket/one.jsonl.gz"]}

    run = target.run(ACCOUNT, message, state({"n": 3}))

    assert isinstance(run.error, InputBroken)
    assert str(run.error) == ("the batch file s3://bucket/one.jsonl.gz cannot be opened: Install s3fs to access S3")
    assert run.states == []


def test_a_parquet_batch(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """Dates and times are the text that a RECORD would have."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pa.table(
        {"LastName": ["Ada", "Bob"], "Birthdate": pa.array(["1815-12-10", None]).cast(pa.date32())},
    )
    pq.write_table(table, tmp_path / "one.parquet")
    message = {**batch(tmp_path / "one.parquet", format="parquet", compression=None), "stream": "Contact"}

    run = target.run(
        schema("Contact", LastName="string", Birthdate={"type": ["string", "null"], "format": "date"}),
        message,
        operation="insert",
    )

    assert run.error is None
    assert sorted((row["LastName"], row["Birthdate"]) for row in org.rows("Contact")) == [
        ("Ada", "1815-12-10"),
        ("Bob", None),
    ]


def test_stream_maps_are_for_batches_too(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """Unlike on the SDK's own road."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(lines_of(*ROWS[:1]))

    run = target.run(
        ACCOUNT,
        batch(path, compression=None),
        stream_maps={"Account": {"Name": "Name.upper()", "AnnualRevenue": "__NULL__"}},
    )

    assert run.error is None
    assert [(row["Name"], row["AnnualRevenue"]) for row in org.rows("Account")] == [("ADA", None)]


@pytest.mark.parametrize(
    ("data", "encoding", "told"),
    [
        (b'{"External_Id__c": "a"}\nno', {"compression": None}, "line 2 is not valid JSON"),
        (b"[1]\n", {"compression": None}, "line 1 is not a record"),
        (gzip.compress(b"{}" * 99, mtime=0)[:-9], {"compression": "gzip"}, "is broken: "),
        (b"{}", {"compression": "gzip"}, "is broken: Not a gzipped file"),
        (b"{}", {"format": "csv"}, "a BATCH of format 'csv'"),
    ],
)
def test_a_broken_batch_ends_the_run(
    org: Org, target: TargetRunner, tmp_path: Path, data: bytes, encoding: dict[str, Any], told: str
) -> None:
    """Told in one sentence; nothing of it is loaded, and no STATE passes."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(data)

    run = target.run(ACCOUNT, batch(path, **encoding), state({"n": 1}))

    assert isinstance(run.error, InputBroken)
    assert told in str(run.error)
    assert run.states == []
    assert org.rows("Account") == []


def test_a_batch_file_that_is_missing_ends_the_run(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """The error names it."""
    run = target.run(ACCOUNT, batch(tmp_path / "none.jsonl"), state({"n": 1}))

    assert isinstance(run.error, FileNotFoundError)
    assert "none.jsonl" in str(run.error)
    assert run.states == []


def test_activate_version_is_ignored_with_one_warning(
    org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows that are not in the input stay, also for a stream without a SCHEMA."""
    org.insert("Account", [{"Name": "Old"}])
    version = {"type": "ACTIVATE_VERSION", "stream": "Account", "version": 1}

    run = target.run(version, ACCOUNT, version, records("Account", ROWS[0]), version, state({"n": 1}))

    assert run.error is None
    assert run.states == [{"n": 1}]
    assert [record.getMessage() for record in caplog.records if "ACTIVATE_VERSION" in record.message] == [
        "stream 'Account': ACTIVATE_VERSION is ignored, nothing is deleted for it"
    ]
    assert sorted(row["Name"] for row in org.rows("Account")) == ["Ada", "Old"]


def test_records_do_not_wait_for_others_for_ever(org: Org, target: TargetRunner) -> None:
    """With no patience at all each record is sent by itself, in order."""
    run = target.run(
        ACCOUNT,
        records("Account", *({"External_Id__c": "a", "Name": name} for name in ("one", "two", "three"))),
        batch_wait_limit_seconds=0,
    )

    assert run.error is None
    assert [row["Name"] for row in org.rows("Account")] == ["three"]
    assert len(org.jobs) == 3
