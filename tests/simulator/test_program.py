"""The program: what it prints, serves and keeps."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from salesforce_bulk_simulator import Fault, Org, make_certificate, running
from salesforce_bulk_simulator.cli import how_to_trust
from salesforce_bulk_simulator.data.generate import generate_rows

from .api import Api

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
        assert re.match("Salesforce simulator on https?://127.0.0.1:", process.stdout.readline())
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        process.stdout.close()


def test_it_prints_a_config_that_logs_in(tmp_path: Path) -> None:
    """And serves the objects and rows of its options."""
    (tmp_path / "planes.yaml").write_text(PLANES)
    with program("--objects", str(tmp_path / "planes.yaml"), "--rows", "Account=3", "--rows", "Plane__c=2") as config:
        api = Api(config["login_url"])
        counts = api("GET", "limits/recordCount?sObjects=Account,Plane__c").json()["sObjects"]
        api.session.close()

    assert counts == [{"count": 3, "name": "Account"}, {"count": 2, "name": "Plane__c"}]
    assert set(config) == {"login_url", "client_id", "client_secret", "refresh_token"}


def test_rows_survive_a_restart_in_a_database(tmp_path: Path) -> None:
    """Ids continue where they ended."""
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
        (["--rows", "Account"], "'Account' is not of the form OBJECT=COUNT, such as Account=1000"),
        (["--rows", "Nonsense=1"], "object 'Nonsense' does not exist: declare it with --objects"),
        (["--objects", "nowhere.yaml"], "File 'nowhere.yaml' does not exist"),
    ],
    ids=["form", "object", "file"],
)
def test_a_wrong_option_is_reported_in_one_line(options: list[str], message: str) -> None:
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
        ("name: X__c\nprefix: '001'", "X__c: the key prefix 001 is already used by account"),
        ("name: X__c\ncolour: red", "X__c: unknown key 'colour'"),
        ("- name: X__c", "declare an object as a mapping"),
    ],
    ids=["type", "flag", "prefix", "key", "shape"],
)
def test_a_wrong_declaration_is_reported(tmp_path: Path, yaml: str, message: str) -> None:
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


def test_it_serves_https_at_salesforces_host_names(tmp_path: Path) -> None:
    """With a certificate that is made once, and trusted by its authority."""
    folder = tmp_path / "tls"
    with program("--tls", "--tls-directory", str(folder)) as config:
        answer = requests.get(f"{config['login_url']}/services/data", verify=str(folder / "ca.pem"), timeout=30)
    made = (folder / "server.pem").read_bytes()

    certificate = make_certificate(folder)
    names = x509.load_pem_x509_certificate(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert answer.status_code == 200
    assert certificate.chain.read_bytes() == made
    assert {"login.salesforce.com", "test.salesforce.com", "*.my.salesforce.com"} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    assert (folder / "server.key").stat().st_mode & 0o777 == 0o600


def test_connections_are_reset_over_https_too(tmp_path: Path) -> None:
    """A fault reaches through the encryption."""
    certificate = make_certificate(tmp_path)
    org = Org()
    org.faults.add("versions", Fault.reset_before())
    with running(org, certificate=certificate) as url:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/services/data", verify=str(certificate.authority), timeout=30)
        again = requests.get(f"{url}/services/data", verify=str(certificate.authority), timeout=30)

    assert again.status_code == 200
    assert org.faults.completed


def test_it_explains_how_to_trust_and_reach_it(tmp_path: Path) -> None:
    """The variables that clients read, and the line for the hosts file."""
    certificate = make_certificate(tmp_path)

    text = how_to_trust(certificate)

    assert f"REQUESTS_CA_BUNDLE={certificate.authority}" in text
    assert "127.0.0.1 login.salesforce.com test.salesforce.com sim.my.salesforce.com" in text


def test_one_pace_is_enough() -> None:
    """--seconds and --looks exclude each other."""
    done = subprocess.run([*COMMAND, "--seconds", "1", "--looks", "2"], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "--seconds and --looks exclude each other: set one of them" in done.stderr
