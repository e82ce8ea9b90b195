"""What a run writes into its folder at its end, and what it removes from it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_plugin.report import files
from salesforce_bulk_simulator import Fault, Org
from target_salesforce_bulk import outstanding
from target_salesforce_bulk.results import pruning

from tests.target.conftest import Message, TargetRunner, records, schema

UNITS = schema("Account", key=["External_Id__c"], External_Id__c="string", Name="string")
JOB: dict[str, Any] = {"small_batch_rows": 0}


def units(*names: str) -> list[Message]:
    return records("Account", *({"External_Id__c": name, "Name": name} for name in names))


def age(results_dir: Path, days: float) -> set[str]:
    """Let everything in the folder be so old; return the names of the files."""
    paths = [path for path in results_dir.rglob("*") if path.is_file()]
    for path in paths:
        os.utime(path, (time.time() - days * 86400,) * 2)
    return {path.name for path in paths}


def names(results_dir: Path) -> set[str]:
    return {path.name for path in results_dir.rglob("*") if path.is_file()}


# The report


def test_a_run_ends_with_its_report_as_a_page(target: TargetRunner, org: Org) -> None:
    """For its owner only; it says what is still not in Salesforce."""
    target.run(UNITS, units("a", "x" * 300), **JOB)

    page = target.results_dir / "report.html"
    text = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert "2 records: 1 loaded, 1 refused" in text
    assert "Still not in Salesforce: 1 record since 20" in text
    assert "salesforce-bulk retry" in text

    target.run(UNITS, units("a"), **JOB)

    text = (target.results_dir / "report.html").read_text()
    assert "1 record, loaded" in text
    assert "Still not in Salesforce: 1 record since 20" in text


def test_a_page_of_many_records_is_made_of_the_summary_and_some_samples(
    target: TargetRunner, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are counted, though only the first outcomes are read."""
    monkeypatch.setattr(files, "MAX_OUTCOME_BYTES", 1000)

    target.run(UNITS, units(*("x" * (260 + number) for number in range(30)), "a"), **JOB)

    text = (target.results_dir / "report.html").read_text()
    assert "31 records: 1 loaded, 30 refused" in text
    assert " of 30 records" in text
    assert "cannot be read" not in text


def test_no_page_is_made_where_none_is_wanted(target: TargetRunner, org: Org) -> None:
    """Also with refused records."""
    target.run(UNITS, units("a"), **JOB, html_report=False)

    assert "report.html" not in names(target.results_dir)


def test_a_page_that_cannot_be_written_changes_no_result(
    target: TargetRunner, org: Org, caplog: pytest.LogCaptureFixture
) -> None:
    """Something else has its name."""
    (target.results_dir / "report.html").mkdir(parents=True)

    run = target.run(UNITS, units("a"), **JOB)

    assert run.error is None
    assert "no report" in caplog.text


# Old files


def test_old_files_of_ours_are_removed_after_a_good_run(target: TargetRunner, org: Org) -> None:
    """Those of another name stay, and so do newer ones."""
    target.run(UNITS, units("a"), **JOB)
    target.run(UNITS, units("b"))
    (target.results_dir / "outcomes-of-mine.jsonl").touch()
    old = age(target.results_dir, 10)
    assert len([name for name in old if name.endswith(".csv")]) >= 2
    target.run(UNITS, units("c"), **JOB)
    newer = names(target.results_dir) - old

    run = target.run(UNITS, units("d"), **JOB, results_keep_days=7)

    assert run.error is None
    assert newer <= names(target.results_dir)
    assert names(target.results_dir) & old == {
        "outcomes-of-mine.jsonl",
        "journal.sqlite",
        ".lock",
        "report.html",
    }


def test_nothing_is_removed_by_default_or_after_a_bad_run(target: TargetRunner, org: Org) -> None:
    """A run that fails leaves everything for whoever looks into it."""
    target.run(UNITS, units("a"), **JOB)
    old = age(target.results_dir, 1000)

    target.run(UNITS, units("b"), **JOB)
    target.run(UNITS, units("x" * 300), **JOB, results_keep_days=7)

    assert old <= names(target.results_dir)


def test_what_a_doubtful_batch_needs_is_not_removed(target: TargetRunner, org: Org) -> None:
    """Its rows, and the files of its run; the run of another stream ends well."""
    refusal = Fault.status(403, json=[{"errorCode": "INSUFFICIENT_ACCESS", "message": "not now"}])
    org.faults.add("ingest.successful", refusal)
    target.run(UNITS, units("a"), **JOB)
    old = age(target.results_dir, 10)
    people = schema("Contact", key=["Email"], Email="string", LastName="string")

    run = target.run(
        people, records("Contact", {"Email": "a@example.com", "LastName": "Ada"}), **JOB, results_keep_days=7
    )

    assert run.error is None
    assert old <= names(target.results_dir)
    assert org.faults.completed


def test_outstanding_records_outlive_their_failed_file(target: TargetRunner, org: Org) -> None:
    """But where the list was full, that file is all there is, and stays."""
    target.run(UNITS, units("x" * 300), **JOB)
    age(target.results_dir, 10)
    kept = target.run(UNITS, units("a"), **JOB, results_keep_days=7, fail_on_outstanding=False)

    assert kept.error is None
    assert not list(target.results_dir.glob("failed-*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outstanding, "MAX_RECORDS", 1)
        target.run(UNITS, units("x" * 301), **JOB)
    age(target.results_dir, 10)

    target.run(UNITS, units("a"), **JOB, results_keep_days=7, fail_on_outstanding=False)

    assert len(list(target.results_dir.glob("failed-*"))) == 1


def test_many_files_are_said_in_one_line(
    target: TargetRunner, org: Org, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where nothing removes them."""
    monkeypatch.setattr(pruning, "MANY_FILES", 2)

    target.run(UNITS, units("a"), **JOB, results_keep_days=7)
    assert "files: results_keep_days" not in caplog.text

    target.run(UNITS, units("b"), **JOB)
    assert caplog.text.count("files: results_keep_days") == 1
