"""docs/schema-registry.md, followed word for word."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from salesforce_bulk_simulator import Org, Progression, running

from examples.nycflights13.sandbox import PROJECT
from tests.end_to_end.conftest import BIN, WriteJson
from tests.end_to_end.pages import examples, run

PAGE = PROJECT / "docs" / "schema-registry.md"
BEFORE = {"Number__c": "string(10)", "Note__c": "textarea(255)"}
AFTER = {"Number__c": "string(20)", "Region__c": "string(40)"}


def org_with(fields: dict[str, str]) -> Org:
    """An org whose invoices have these fields."""
    org = Org(objects=[{"name": "Invoice__c", "prefix": "a00", "fields": fields}], progression=Progression.immediate())
    org.insert("Invoice__c", [{"Number__c": "1"}])
    return org


def test_a_change_is_reported_and_accepted(settings: dict[str, Any], write_json: WriteJson, tmp_path: Path) -> None:
    """Three fields change: a strict run stops, a plain one accepts, and then a strict one reads again."""
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    config, keep = examples(PAGE, section="Keep the schemas")
    (content,) = examples(PAGE, section="What a file holds")
    (strict,) = examples(PAGE, section="Get notified")
    (accept,) = examples(PAGE, section="Accept a change")
    write_json("strict.json", {"schema_drift": "error"})
    own = {**json.loads(config.text), **settings}
    del own["domain"]
    file = tmp_path / "schemas" / "Invoice__c.json"

    with running(org_with(BEFORE)) as url:
        write_json("config.json", {**own, "login_url": url})
        run(keep, cwd=tmp_path, env=env)
    before = file.read_text()
    with running(org_with(AFTER)) as url:
        write_json("config.json", {**own, "login_url": url})
        run(strict, cwd=tmp_path, env=env)
        after_strict = file.read_text()
        run(accept, cwd=tmp_path, env=env)

    assert after_strict == before
    kept, shown = json.loads(file.read_text()), json.loads(content.text)
    assert kept.keys() == shown.keys()
    assert (kept["stream"], kept["version"]) == (shown["stream"], shown["version"])
    assert kept["schema"]["properties"].items() >= shown["schema"]["properties"].items()
    assert [entry["fields"] for entry in kept["changes"]] == [entry["fields"] for entry in shown["changes"]]
    assert "Number__c" in (tmp_path / "records.jsonl").read_text()
