"""`salesforce-bulk report`: what it tells of real runs of the target, on the page, as text and as JSON."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from salesforce_bulk_companion.command import main
from salesforce_bulk_plugin.report.outcome_file import read_outcomes
from salesforce_bulk_simulator import Fault, Org, Progression

from tests.companion.html_page import ParsedPage
from tests.target.conftest import TargetRunner, lines, records, schema, state
from tests.target.crashing import KILLED_AT_THE_SECOND_JOB

ACCOUNTS = schema("accounts", key=["no"], no="string", Name=["string", "null"], Phone="string")
PEOPLE = schema("people", key=["no"], no="integer", LastName=["string", "null"], Email="string")
MAPPINGS = {
    "accounts": {"object": "Account", "external_id_field": "External_Id__c", "fields": {"no": "External_Id__c"}},
    "people": {"object": "Contact", "operation": "insert", "fields": {"no": None}},
}


@pytest.fixture
def target(settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> TargetRunner:
    """The target; each stream goes by jobs of four rows."""
    return TargetRunner(
        settings={
            **settings,
            "mappings": MAPPINGS,
            "batch_size_rows": 4,
            "small_batch_rows": 0,
            "record_retries": 0,
            "max_concurrent_jobs": 1,
        },
        results_dir=tmp_path / "logs",
        capsys=capsys,
    )


def report(target: TargetRunner, *options: str) -> Result:
    """Run the command on what the target has left."""
    result = CliRunner().invoke(main, ["report", str(target.results_dir), *options])
    assert result.exit_code == 0, result.output
    return result


def page(target: TargetRunner, *options: str) -> ParsedPage:
    """The page, at the place where it is written if nothing else is asked for."""
    report(target, *options)
    return ParsedPage(target.results_dir / "report.html")


def as_json(target: TargetRunner, *options: str) -> list[dict[str, Any]]:
    """The runs in the JSON form."""
    return list(json.loads(report(target, "--format", "json", *options).stdout)["runs"])


def mixed_run(target: TargetRunner) -> None:
    """Load two streams: of accounts 6 are created and 3 refused, of people 3 are created and 2 refused."""
    accounts: list[dict[str, Any]] = [{"no": f"a{n}", "Name": f"Firm {n}"} for n in range(9)]
    accounts[2]["Name"] = accounts[5]["Name"] = None
    accounts[7]["Name"] = "<script>alert(7)</script>" * 20
    people: list[dict[str, Any]] = [{"no": n, "LastName": f"Ada {n}", "Email": f"{n}@example.com"} for n in range(5)]
    people[1]["Email"] = "<b>one</b> at example"
    people[3]["LastName"] = None
    target.run(ACCOUNTS, records("accounts", *accounts), PEOPLE, records("people", *people), state(1))


def test_the_page_tells_what_became_of_the_records(org: Org, target: TargetRunner) -> None:
    """The verdict comes first; every number of the summary is there, by stream, by error code and by job."""
    mixed_run(target)

    shown = page(target)

    assert shown.text_of("h2") == ["14 records: 9 loaded, 5 refused"]
    assert shown.rows("Records of each stream by outcome") == [
        ["accounts", "upsert Account", "6", "3", "9"],
        ["people", "insert Contact", "3", "2", "5"],
    ]
    assert [text.split(" in ")[0] for text in shown.text_of("h4")] == [
        "REQUIRED_FIELD_MISSING 2",
        "STRING_TOO_LONG 1",
        "INVALID_EMAIL_ADDRESS 1",
        "REQUIRED_FIELD_MISSING 1",
    ]
    jobs = shown.rows("Jobs")
    assert sorted(row[1:7] for row in jobs) == [
        ["accounts", "upsert Account", "JobComplete", "1", "0", "49 B"],
        ["accounts", "upsert Account", "JobComplete", "3", "1", "77 B"],
        ["accounts", "upsert Account", "JobComplete", "4", "1", "94 B"],
        ["people", "insert Contact", "JobComplete", "1", "0", "43 B"],
        ["people", "insert Contact", "JobComplete", "4", "2", "118 B"],
    ]
    assert len(shown.text_of("li", inside="ol")) == len(jobs) + 2  # the bars of the jobs, and two things to do


def test_the_page_shows_some_records_of_each_error(org: Org, target: TargetRunner) -> None:
    """Each with its key and Salesforce's message, no more than asked for, and a hint of what helps."""
    mixed_run(target)

    samples = page(target, "--samples", "1").rows("Records refused with REQUIRED_FIELD_MISSING")

    assert samples[0][:3] == ['no: "a2"', "Required fields are missing: [Name]", "Name"]
    assert [row[0] for row in samples] == ['no: "a2"', "no: 3"]
    assert "Salesforce requires the field: send a value, or give the field a default." in page(target).text


def test_values_cannot_become_html(org: Org, target: TargetRunner) -> None:
    """What a record holds is shown as text; the page has no script, and asks the network for nothing."""
    target.run(
        schema("accounts", key=["no"], no="string", Name="string"),
        records("accounts", {"no": '"><script>alert(1)</script>&amp;\x1b[31m', "Name": None}),
    )

    shown = page(target)
    text = report(target, "--format", "text").stdout

    assert shown.tags.isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert r'no: "\"><script>alert(1)</script>&amp;' in shown.text
    assert "default-src 'none'" in shown.attributes("meta", "content")[0]
    assert "\x1b" not in text


def test_links_lead_to_the_files_from_where_the_page_is(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """In the results folder or anywhere else; result files without rows are left out."""
    mixed_run(target)
    (tmp_path / "pages of today").mkdir()
    elsewhere = tmp_path / "pages of today" / "page.html"

    near = page(target).linked_files()
    report(target, "--output", str(elsewhere))
    far = ParsedPage(elsewhere).linked_files()

    assert near == far
    assert {path.name.partition("-")[0] for path in near if path.suffix != ".csv"} == {"failed", "outcomes", "summary"}
    assert (
        sorted(path.stem.rpartition("_")[2] for path in near if path.suffix == ".csv")
        == ["failed"] * 3 + ["successful"] * 5
    )


def test_the_page_is_for_its_owner_only(org: Org, target: TargetRunner) -> None:
    """It holds keys and messages: mode 600, also where a file that all may read was before; and it says so."""
    mixed_run(target)
    (target.results_dir / "report.html").touch(mode=0o644)

    shown = page(target)

    assert stat.S_IMODE(shown.path.stat().st_mode) == 0o600
    assert "mode 600" in shown.text


@pytest.mark.parametrize("output_format", ["html", "text", "json"])
def test_values_can_be_left_out(org: Org, target: TargetRunner, output_format: str) -> None:
    """Then no key, Id or message is in the report; codes, fields and counts are."""
    mixed_run(target)

    told = report(target, "--format", output_format, "--output", "-", "--hide-values").stdout

    assert "REQUIRED_FIELD_MISSING" in told
    for hidden in ("a2", "at example", "Required fields are missing", org.rows("Account")[0]["Id"]):
        assert hidden not in told


def test_the_command_that_the_report_names_loads_what_was_refused(
    org: Org, target: TargetRunner, tmp_path: Path
) -> None:
    """Copied into a shell as it stands, it loads the failed records once their reason is gone."""
    org.faults.add("ingest.create", Fault.lock_rows(2))
    target.run(ACCOUNTS, records("accounts", *({"no": f"a{n}", "Name": "Ada"} for n in range(4))))
    (tmp_path / "config.json").write_text(json.dumps(target.config()))

    step = as_json(target)[0]["next_steps"][-1]
    path = f"PATH={Path(sys.executable).parent}:$PATH"
    done = subprocess.run(f"{path} {step['command']}", shell=True, cwd=tmp_path, capture_output=True, check=False)

    assert org.faults.completed
    assert done.returncode == 0, done.stderr
    assert len(org.rows("Account")) == 4
    assert [run["verdict"] for run in as_json(target)] == ["2 records, all loaded", "4 records: 2 loaded, 2 refused"]


def test_rows_that_were_not_processed_make_a_run_unfinished(org: Org, target: TargetRunner) -> None:
    """The page says that the same input again goes on, and which job failed with what."""
    org.faults.add("ingest.close", Fault.job_fails("InvalidBatch : Field name not found : Ä"))
    target.run(PEOPLE, records("people", {"no": 1, "LastName": "Ada"}, {"no": 2, "LastName": "Bob"}))

    shown = page(target)

    assert org.faults.completed
    assert shown.text_of("h2") == ["2 records: 0 loaded, 2 not processed"]
    assert "Did not finish" in shown.text
    assert "Run the same command again, with the same input or from its last STATE." in shown.text
    assert shown.rows("Jobs")[0][3] == "Failed"
    assert " Failed: InvalidBatch : Field name not found : Ä" in shown.text


def test_a_job_that_was_left_behind_is_named(org: Org, target: TargetRunner) -> None:
    """A job that took too long is still with Salesforce; its bar ends nowhere."""
    org.progression = Progression.looks(1000)
    target.run(PEOPLE, records("people", {"no": 1, "LastName": "Ada"}), job_timeout_s=0.05)

    run = as_json(target)[0]
    job_id = run["jobs"][0]["id"]

    assert run["verdict"] == "No outcome is known"
    assert f"Job {job_id} of stream people is with Salesforce; the next run waits for it" in " ".join(run["remarks"])
    assert run["jobs"][0]["ended_at"] is None
    assert page(target).rows("Jobs")[0][:4] == [job_id, "people", "insert Contact", "UploadComplete"]


def test_doubtful_records_are_counted_and_the_command_that_decides_is_named(org: Org, target: TargetRunner) -> None:
    """They are neither loaded nor refused; once a person has decided, the step is gone."""
    org.faults.add("ingest.close", Fault.results_lost("successful", rows=2, has_counts=False))
    target.run(PEOPLE, records("people", *({"no": n, "LastName": f"Ada {n}"} for n in range(4))))

    run, shown = as_json(target)[0], page(target)

    assert (run["verdict"], run["is_finished"]) == ("4 records: 2 loaded, 2 doubtful", False)
    assert run["records"] == {"created": 2, "updated": 0, "deleted": 0, "failed": 0, "unprocessed": 0, "doubtful": 2}
    assert run["next_steps"][0]["command"] == f"salesforce-bulk batches {target.results_dir}"
    assert "of stream people leaves rows that may or may not be loaded: a person has to decide" in run["remarks"][-1]
    assert shown.rows("Records of each stream by outcome") == [["people", "insert Contact", "2", "2", "4"]]
    assert [(error["code"], error["status"], error["number"]) for error in run["errors"]] == [
        ("NO_OUTCOME", "doubtful", 2)
    ]
    assert org.faults.completed


def test_a_run_that_was_cut_off_is_told_by_its_outcomes(org: Org, target: TargetRunner) -> None:
    """No summary, and half a line at the end: what is whole is counted."""
    mixed_run(target)
    (outcomes,) = target.results_dir.glob("outcomes-*")
    (summary,) = target.results_dir.glob("summary-*")
    summary.unlink()
    outcomes.write_bytes(outcomes.read_bytes()[:-30])

    shown = page(target)

    assert "Still running, or killed" in shown.text
    assert len(shown.rows("Jobs")) == 4  # the last had one row, whose line is cut
    assert sum(int(row[-1]) for row in shown.rows("Records of each stream by outcome")) == 13
    assert "cannot be read" not in shown.text


def test_a_killed_run_and_the_next_one_add_up(org: Org, target: TargetRunner, tmp_path: Path) -> None:
    """The report says that it was killed, and what the next run found of it; the next one, what of it is whose."""
    messages = [PEOPLE, records("people", *({"no": n, "LastName": f"Ada {n}"} for n in range(10))), state(10)]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(target.config()))
    program = [sys.executable, "-c", KILLED_AT_THE_SECOND_JOB, "--config", config]
    killed = subprocess.run(program, input=lines(messages), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    (alone,) = as_json(target)

    target.run(*messages)

    second, first = as_json(target)
    earlier, later = f"run {first['run_id']}", f"Run {second['run_id']}"
    assert (alone["ending"], alone["verdict"]) == ("Still running, or killed", "4 records, all loaded so far")
    assert first["ending"] == "Killed before its end"
    assert first["verdict"] == "4 records, all loaded before it was killed"
    assert first["remarks"][-2:] == [
        f"{later} read 4 records of these again, and skipped them.",
        f"{later} finished 1 job of this run, with 4 records: it has their outcomes.",
    ]
    assert second["verdict"] == "6 records, all loaded"
    assert " ".join(second["remarks"]) == (
        f"It read 10 records: 4 skipped, loaded by {earlier}; 4 skipped, loaded by this run from jobs that {earlier}"
        f" had left; 2 new. Of its 6 outcomes, 4 came from jobs that {earlier} had left, 2 from new records."
    )


def test_in_a_meltano_project_the_command_is_meltanos(
    org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no config.json: Meltano has the settings of the run, by the names of loader and environment."""
    monkeypatch.setenv("MELTANO_LOADER_NAME", "target-salesforce-bulk--nightly")
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "prod")
    mixed_run(target)
    monkeypatch.undo()

    (run,) = as_json(target)

    (failed,) = target.results_dir.glob("failed-*")
    assert run["next_steps"][-1]["command"] == (
        f"meltano --environment=prod invoke target-salesforce-bulk--nightly --input {failed}"
    )


@pytest.mark.parametrize("loader", [None, "target-salesforce-bulk--nightly"])
def test_what_an_earlier_run_has_left_is_loaded_by_a_command_that_has_the_settings(
    org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch, loader: str | None
) -> None:
    """A retry takes all settings of the target; Meltano writes them to a file that only its owner can read."""
    if loader:
        monkeypatch.setenv("MELTANO_LOADER_NAME", loader)
        monkeypatch.setenv("MELTANO_ENVIRONMENT", "prod")
    mixed_run(target)
    target.run(ACCOUNTS, records("accounts", {"no": "a0", "Name": "Firm"}))
    monkeypatch.undo()

    (step,) = as_json(target)[0]["next_steps"]

    retry = f"salesforce-bulk retry {target.results_dir} --config"
    dump = f"(umask 077; meltano --environment=prod invoke --dump=config {loader} > target.json)"
    assert step["command"] == (f"{dump}; {retry} target.json; rm target.json" if loader else f"{retry} config.json")


def test_lines_that_cannot_be_read_are_told(org: Org, target: TargetRunner) -> None:
    """They are not counted, and the numbers of the summary win."""
    mixed_run(target)
    (outcomes,) = target.results_dir.glob("outcomes-*")
    outcomes.write_bytes(b"\0\0\0\n" + outcomes.read_bytes().split(b"\n", 1)[1])

    run = as_json(target)[0]

    assert run["verdict"] == "14 records: 9 loaded, 5 refused"
    assert run["remarks"][0] == f"Lines of {outcomes.name} that cannot be read: 1."
    assert run["remarks"][1].endswith("it tells of 13 records.")


def test_a_summary_is_enough(org: Org, target: TargetRunner) -> None:
    """Of an older version too, which noted no times; without the outcomes there are no samples."""
    mixed_run(target)
    (outcomes,) = target.results_dir.glob("outcomes-*")
    outcomes.unlink()
    (path,) = target.results_dir.glob("summary-*")
    summary = json.loads(path.read_text())
    del summary["settled"], summary["org"]
    summary["jobs"] = [{"id": job["id"], "state": job["state"], "added_later": 1} for job in summary["jobs"]]
    path.write_text(json.dumps(summary))

    shown = page(target)

    assert shown.text_of("h2") == ["14 records: 9 loaded, 5 refused"]
    assert "REQUIRED_FIELD_MISSING 3" in shown.text
    assert "figure" not in shown.tags


def test_several_runs_are_on_one_page_the_newest_first(org: Org, target: TargetRunner) -> None:
    """With a table of them at the top, whose links lead to their places; fewer can be asked for."""
    mixed_run(target)
    target.run(ACCOUNTS, records("accounts", {"no": "b", "Name": "Bob"}))

    both, one = page(target), page(target, "--last", "1")

    assert both.text_of("h2") == [
        "2 runs, the newest first",
        "1 record, loaded",
        "14 records: 9 loaded, 5 refused",
    ]
    assert [row[1:5] for row in both.rows("Runs")] == [
        ["Finished", "1", "1", "0"],
        ["Finished, with records refused", "14", "9", "5"],
    ]
    assert {link.removeprefix("#") for link in both.attributes("a", "href") if link.startswith("#")} <= set(
        both.attributes("h2", "id")
    )
    assert one.text_of("h2") == ["1 record, loaded"]


def test_text_and_json_tell_the_same(org: Org, target: TargetRunner) -> None:
    """Lines for a terminal, data for a program."""
    mixed_run(target)

    text = report(target, "--format", "text").stdout
    run = as_json(target)[0]

    assert text.splitlines()[1] == run["verdict"] == "14 records: 9 loaded, 5 refused"
    assert "  accounts  upsert Account        6        3        9" in text
    assert '    - no: "a2": Required fields are missing: [Name]' in text
    assert run["records"] == {"created": 9, "updated": 0, "deleted": 0, "failed": 5, "unprocessed": 0, "doubtful": 0}
    assert run["streams"]["people"]["failed"] == 2
    assert run["errors"][0]["fields"] == {"Name": 2}
    assert run["errors"][0]["samples"][0]["key"] == {"no": "a2"}


def test_a_folder_without_runs_is_told(tmp_path: Path) -> None:
    """Among them that of a dry run, which leaves nothing."""
    result = CliRunner().invoke(main, ["report", str(tmp_path)])

    assert result.exit_code == 1
    assert result.output == f"Error: no run has left files in {tmp_path} (a dry run leaves none)\n"


def test_the_target_s_variable_names_the_folder(
    org: Org, target: TargetRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container or in Meltano it is set for both."""
    mixed_run(target)
    monkeypatch.setenv("TARGET_SALESFORCE_BULK_RESULTS_DIR", str(target.results_dir))

    result = CliRunner().invoke(main, ["report"])

    assert result.output == f"{target.results_dir / 'report.html'}: 1 run\n"


def test_the_summary_tells_the_times_of_jobs(org: Org, target: TargetRunner) -> None:
    """When each was created, had its data and ended; and when outcomes were on disk, which add up to the records."""
    mixed_run(target)
    (path,) = target.results_dir.glob("summary-*")
    summary = json.loads(path.read_text())

    moment: Callable[[str], datetime] = datetime.fromisoformat
    for job in summary["jobs"]:
        settled = next(one["at"] for one in summary["settled"] if one["job_id"] == job["id"])
        times = [moment(at) for at in (job["created_at"], job["closed_at"], job["ended_at"], settled)]

        assert times == sorted(times)
    assert sum(one["loaded"] for one in summary["settled"]) == 9
    assert sum(one["not_loaded"] for one in summary["settled"]) == 5
    assert summary["org"].startswith("http://127.0.0.1:")


def test_memory_does_not_grow_with_the_number_of_outcomes(tmp_path: Path) -> None:
    """Lines are counted as they stream by: 40,000 of them, 8 MB, take less than 2 MB, most of it the read-ahead."""
    line = (
        b'{"stream":"accounts","key":{"no":"a%d"},"id":null,"status":"failed","error_code":"DUPLICATE_VALUE",'
        b'"error_message":"duplicate value found: No__c duplicates value on record with id: 001",'
        b'"error_fields":["No__c"],"job_id":"750000000000001AAA"}\n'
    )
    path = tmp_path / "outcomes.jsonl"
    path.write_bytes(b"".join(line % number for number in range(40_000)))

    tracemalloc.start()
    outcomes = read_outcomes(path, max_samples=5)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert outcomes.errors[0].number == 40_000
    assert len(outcomes.errors[0].samples) == 5
    assert path.stat().st_size > 8_000_000
    assert peak_bytes < 2_000_000
