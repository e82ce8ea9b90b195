"""The modules whose mutants are tried, each with its file and the tests that hold its promises: files, globs, and -k.

The tests of a module should take about five seconds, or 25 mutants take too long.
"""

from __future__ import annotations

from pathlib import Path

from tests.mutants.trials import Project

CLIENT = "salesforce-bulk/salesforce_bulk_client"
TAP = "tap-salesforce-bulk/tap_salesforce_bulk"
TARGET = "target-salesforce-bulk/target_salesforce_bulk"

JOBS = "tests/client/test_query_job.py tests/client/test_ingest_job.py"
TOLD = "tests/client/test_telemetry.py tests/client/test_log_lines.py"
C_LOCALE = "tests/tap/test_locale.py::test_variables_are_utf_8_in_the_c_locale"
NEW_STATE = "tests/client/test_requests.py::test_a_job_in_an_unknown_state_is_an_error_of_ours"
WEB_PAGE = "tests/client/test_ingest_job.py::test_a_web_page_is_no_answer_to_an_upload"
NOT_SLOW = (
    "-k 'not rows_are_loaded_once and not redirect_is_not and not imported_only and not no_help and not failed_try'"
)
PRINTS = "tests/target/test_fingerprints.py"
ONCE = "tests/target/test_exactly_once.py"
SAME = f"{ONCE}::test_a_record_is_recognized_as_it_came_in"
CRASH = "tests/target/test_after_a_crash.py"
FILES = "tests/target/test_outcome_files.py"
DECISIONS = "tests/companion/test_batches.py"
FORGOTTEN = f"{CRASH}::test_after_a_run_that_ended_well_the_same_rows_are_new_rows"
MODES = f"{FILES}::test_only_the_user_may_read_what_a_run_leaves"
SIGNALS = "tests/target/test_signals.py"
JOURNAL = "tests/target/test_journal.py"
RESENT = "tests/target/test_sending_again.py"

MODULES = {
    "auth": (f"{CLIENT}/auth.py", f"tests/client/test_login.py tests/client/test_org_id.py {TOLD} {NOT_SLOW}"),
    "http": (
        f"{CLIENT}/http.py",
        f"tests/client/test_requests.py tests/client/test_odd_answers.py {WEB_PAGE} {TOLD} {NOT_SLOW}",
    ),
    "errors": (
        f"{CLIENT}/errors.py",
        "tests/client/test_errors.py tests/client/test_requests.py tests/client/test_retries.py",
    ),
    "csv_pages": (f"{CLIENT}/csv_pages.py", f"{JOBS} {C_LOCALE} {NOT_SLOW}"),
    "result_pages": (
        f"{CLIENT}/result_pages.py",
        f"tests/client/test_query_job.py tests/client/test_endless_lists.py {TOLD} {NOT_SLOW}",
    ),
    "jobs": (f"{CLIENT}/jobs.py", f"{JOBS} tests/client/test_jobs_not_found.py {NEW_STATE} {TOLD} {NOT_SLOW}"),
    "ingest": (f"{CLIENT}/ingest.py", f"tests/client/test_ingest_job.py {TOLD} {NOT_SLOW}"),
    "range_split": (f"{TAP}/query/range_split.py", "tests/tap/test_range_split.py"),
    "rest_fallback": (f"{TAP}/query/rest_fallback.py", "tests/tap/test_rest_fallback.py"),
    "plan_builder": (f"{TARGET}/mapping/plan_builder.py", "tests/target/test_mapping.py"),
    "fingerprints": (f"{TARGET}/mapping/fingerprints.py", f"{PRINTS} {SAME}"),
    "journal": (
        f"{TARGET}/journal.py",
        f"{JOURNAL} {ONCE} {FORGOTTEN} {MODES} {DECISIONS}::test_a_batch_that_cannot_be_read_can_only_be_forgotten",
    ),
    "resume": (
        f"{TARGET}/jobs/resume.py",
        f"{JOURNAL} {ONCE} {FILES}::test_what_a_crashed_run_wrote_without_committing_is_cut",
    ),
    "outcome_log": (f"{TARGET}/results/outcome_log.py", f"{FILES} -k 'not slowly and not cannot_grow'"),
    "batch_loader": (
        f"{TARGET}/jobs/batch_loader.py",
        f"{RESENT} {ONCE} {CRASH} {DECISIONS} {SIGNALS} -k 'not killed and not signal_while'",
    ),
    "outcome_recorder": (f"{TARGET}/results/outcome_recorder.py", f"{RESENT} {ONCE} {DECISIONS} -k 'not killed'"),
}

PROJECT = Project(
    root=Path(__file__).resolve().parents[2],
    package_folders=("salesforce-bulk", "tap-salesforce-bulk", "target-salesforce-bulk"),
    modules=MODULES,
)
