"""The report's page in a real browser, where there is one: it fits a telephone, and runs nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from salesforce_bulk_companion.command import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

RUN_ID = "20240115T103000Z-3f9a1c"
OUTCOMES = (
    '{"stream":"accounts","key":{"no":"a1"},"id":"001000000000001AAA","status":"created","error_code":null,'
    '"error_message":null,"error_fields":[],"job_id":"750000000000001AAA"}\n'
    '{"stream":"accounts","key":{"no":"<script>document.title=\'run\'</script>"},"id":null,"status":"failed",'
    '"error_code":"REQUIRED_FIELD_MISSING","error_message":"Required fields are missing: [Name]",'
    '"error_fields":["Name"],"job_id":"750000000000001AAA"}\n'
)
SUMMARY = """{
    "run_id": "20240115T103000Z-3f9a1c", "org": "https://acme.my.salesforce.com",
    "started_at": "2024-01-15T10:30:00+00:00", "ended_at": "2024-01-15T10:30:09+00:00", "is_finished": true,
    "streams": {"accounts": {"created": 1, "failed": 1}},
    "jobs": [{"id": "750000000000001AAA", "stream": "accounts", "object": "Account", "operation": "upsert",
              "state": "JobComplete", "rows": 2, "bytes": 60, "records_processed": 2, "records_failed": 1,
              "created_at": "2024-01-15T10:30:01+00:00", "closed_at": "2024-01-15T10:30:02+00:00",
              "ended_at": "2024-01-15T10:30:07+00:00"}],
    "settled": [{"at": "2024-01-15T10:30:08+00:00", "stream": "accounts", "job_id": "750000000000001AAA",
                 "loaded": 1, "not_loaded": 1}]
}"""

# The page allows no script, so another one looks into it.
LOOKS_INSIDE = """<!DOCTYPE html><iframe src="report.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>
onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const bars = [...page.querySelectorAll(".track i")].map((bar) => bar.style.left).join(" ");
  document.title = [page.title, page.documentElement.scrollWidth, bars].join(" | ");
}};
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [420, 1200])
def test_the_page_fits_its_window(tmp_path: Path, width: int) -> None:
    """Nothing but tables scrolls sideways; the bars are at their times; a value that looks like a script is none."""
    (tmp_path / f"outcomes-{RUN_ID}.jsonl").write_text(OUTCOMES)
    (tmp_path / f"summary-{RUN_ID}.json").write_text(SUMMARY)
    made = CliRunner().invoke(main, ["report", str(tmp_path)])
    (tmp_path / "looks.html").write_text(LOOKS_INSIDE.format(width=width))

    shown = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--hide-scrollbars",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--window-size=1300,1000",
            "--dump-dom",
            (tmp_path / "looks.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert made.exit_code == 0, made.output
    title = shown.partition("<title>")[2].partition("</title>")[0]
    assert title == (f"2 records: 1 loaded, 1 refused · target-salesforce-bulk | {width} | 10.78% 21.56% 75.44%")
