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
CRASHES = "tests/target/test_after_a_crash.py tests/target/test_small_loads.py -k 'not at_any_step and not at_random'"

MODULES = {
    "auth": (f"{CLIENT}/auth.py", "tests/client/test_login.py"),
    "http": (
        f"{CLIENT}/http.py",
        "tests/client/test_requests.py tests/client/test_errors.py tests/client/test_retries.py",
    ),
    "errors": (
        f"{CLIENT}/errors.py",
        "tests/client/test_errors.py tests/client/test_requests.py tests/client/test_login.py",
    ),
    "csv_pages": (f"{CLIENT}/csv_pages.py", f"{JOBS} -k 'not loaded_once'"),
    "result_pages": (f"{CLIENT}/result_pages.py", "tests/client/test_query_job.py"),
    "jobs": (f"{CLIENT}/jobs.py", f"{JOBS} -k 'not loaded_once'"),
    "ingest": (f"{CLIENT}/ingest.py", "tests/client/test_ingest_job.py"),
    "halving": (f"{TAP}/halving.py", "tests/tap/test_parts.py tests/tap/test_windows.py"),
    "rest": (f"{TAP}/rest.py", "tests/tap/test_rest.py"),
    "mapping": (
        f"{TARGET}/mapping.py",
        "tests/target/test_mapping.py tests/target/test_rows.py tests/target/test_bad_input.py",
    ),
    "fingerprints": (f"{TARGET}/fingerprints.py", CRASHES),
    "journal": (f"{TARGET}/journal.py", CRASHES),
    "recovery": (f"{TARGET}/recovery.py", CRASHES),
    "outcome_log": (f"{TARGET}/outcome_log.py", f"tests/target/test_loading.py {CRASHES}"),
    "unit_loading": (f"{TARGET}/unit_loading.py", f"tests/target/test_loading.py {CRASHES}"),
    "settling": (
        f"{TARGET}/settling.py",
        f"tests/target/test_loading.py tests/target/test_matching.py {CRASHES}",
    ),
}

PROJECT = Project(
    root=Path(__file__).resolve().parents[2],
    package_folders=("salesforce-bulk", "tap-salesforce-bulk", "target-salesforce-bulk"),
    modules=MODULES,
)
