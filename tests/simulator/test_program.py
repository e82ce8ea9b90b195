"""The program: what it prints, serves and keeps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org
from salesforce_bulk_simulator.generate import generate_rows

from .conftest import Api

COMMAND = [sys.executable, "-m", "salesforce_bulk_simulator"]
PLANES = """
objects:
  - name: Plane__c
    fields:
      Tailnum__c: string(10) required externalId unique
      Seats__c: int
"""


@contextmanager
def program(*options: str) -> Iterator[dict[str, Any]]:
    """Run the program and give the config that it prints."""
    process = subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("Salesforce simulator on http://127.0.0.1:")
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        process.stdout.close()


def test_it_prints_a_config_that_logs_in(tmp_path: Path) -> None:
    """And serves the objects and rows that it was told to make."""
    (tmp_path / "planes.yaml").write_text(PLANES)
    with program("--objects", str(tmp_path / "planes.yaml"), "--rows", "Account=3", "--rows", "Plane__c=2") as config:
        api = Api(config["login_url"])
        counts = api("GET", "limits/recordCount?sObjects=Account,Plane__c").json()["sObjects"]
        api.session.close()

    assert counts == [{"count": 3, "name": "Account"}, {"count": 2, "name": "Plane__c"}]
    assert set(config) == {"login_url", "client_id", "client_secret", "refresh_token"}


def test_rows_survive_a_restart_in_a_database(tmp_path: Path) -> None:
    """Ids go on where they ended."""
    database = tmp_path / "org.db"
    with program("--database", str(database)) as config:
        api = Api(config["login_url"])
        api("POST", "sobjects/Account", json={"Name": "Ada"})
        api.session.close()

    org = Org(database=database)

    (ada,) = org.rows("Account")
    assert ada["Name"] == "Ada"
    assert org.insert("Account", [{"Name": "Bob"}]) != [ada["Id"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows", "Account"], "'Account' is not of the form Account=1000"),
        (["--rows", "Nonsense=1"], "no object 'Nonsense'; declare it with --objects"),
        (["--objects", "nowhere.yaml"], "File 'nowhere.yaml' does not exist"),
    ],
    ids=["form", "object", "file"],
)
def test_a_wrong_option_is_told_in_one_line(options: list[str], message: str) -> None:
    """No traceback."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("name: X__c\nfields: {A__c: strong(5)}", "X__c: field A__c: cannot read the declaration 'strong(5)'"),
        ("name: X__c\nfields: {A__c: string mighty}", "X__c: field A__c: unknown flag 'mighty'"),
        ("name: X__c\nprefix: '001'", "X__c: the key prefix 001 belongs to account"),
        ("name: X__c\ncolour: red", "X__c: unknown key 'colour'"),
        ("- name: X__c", "an object is declared as a mapping"),
    ],
    ids=["type", "flag", "prefix", "key", "shape"],
)
def test_a_wrong_declaration_is_told(tmp_path: Path, yaml: str, message: str) -> None:
    """With the object and the field."""
    path = tmp_path / "objects.yaml"
    path.write_text(yaml)

    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        Org(objects=[path])


def test_generated_rows_are_the_same_each_time() -> None:
    """Deterministic, with parents where there are some, and within the rules of their fields."""

    def made() -> list[dict[str, Any]]:
        org = Org()
        generate_rows(org, "Account", 50)
        generate_rows(org, "Contact", 50)
        keys = ("Id", "Name", "AccountId", "Email", "Birthdate")
        return [{key: row[key] for key in keys} for row in org.rows("Contact")]

    first = made()

    assert first == made()
    assert len({row["Name"] for row in first}) == 50
    assert all(row["AccountId"].startswith("001") for row in first)
