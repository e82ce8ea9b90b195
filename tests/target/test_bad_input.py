"""What can be wrong with an input ends as a clear error, or as the failed outcome of one record; nothing is lost."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import Any

import pytest
from salesforce_bulk_client.limits import MAX_RECORD_CHARACTERS, MAX_RECORD_FIELDS
from salesforce_bulk_client.records.cells import LONGEST_PLAIN_EXPONENT, to_datetime, to_number
from salesforce_bulk_simulator import Org
from target_salesforce_bulk.errors import InputBroken, RecordsFailed
from target_salesforce_bulk.messages.fast_records import SURELY_SHORT_BYTES

from tests.target.conftest import Message, TargetRunner, lines, records, schema, state

ACCOUNT = schema("Account", key=["External_Id__c"], External_Id__c="string", Name=["string", "null"])
NUMBERS = schema(
    "Account",
    key=["External_Id__c"],
    External_Id__c="string",
    Name="string",
    NumberOfEmployees=["integer", "null"],
    AnnualRevenue=["number", "null"],
)
ADA = records("Account", {"External_Id__c": "a", "Name": "Ada"})
SECRET = {"External_Id__c": "a", "Name": "a secret"}


def raw(record: bytes) -> bytes:
    """A RECORD line with a record as it is."""
    return b'{"type": "RECORD", "stream": "Account", "record": ' + record + b"}\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"\n{nonsense\n", "line 4 of the input is broken: no JSON"),
        (b'"text"\n', "line 3 of the input is broken: no Singer message: no object"),
        (b'{"stream": "Account"}\n', "line 3 of the input is broken: no Singer message: no type"),
        (lines([{**schema("Account"), "key_properties": [1]}]), "a SCHEMA whose key_properties are not texts"),
        (
            lines([{"type": "BATCH", "stream": "Account", "encoding": {"format": "jsonl"}, "manifest": [1]}]),
            "a BATCH whose manifest are not texts",
        ),
        (b'{"type": "NOISE"}\n', "line 3 of the input is broken: a message of unknown type 'NOISE'"),
        (lines([{"type": "RECORD", "record": SECRET}]), "line 3 of the input is broken: a RECORD without a text"),
        (lines([{"type": "RECORD", "stream": "Account"}]), "a RECORD without an object record"),
        (raw(b'["a secret"]'), "line 3 of the input is broken: a RECORD without an object record"),
        (raw(b'{"Name": "a secret \\ud800"}'), "line 3 of the input is broken: no JSON: it has half of a sur"),
        (raw(b'{"Name": "a secret", "n": NaN}'), "line 3 of the input is broken: no JSON: it has half of a surrogate"),
        (raw(b'{"Name": "a secret \xff"}'), "line 3 of the input is broken: no JSON: "),
        (raw(b"[" * 100_000), "line 3 of the input is broken: no JSON: "),
        (raw(b'{"n": 1' + b"0" * 5000 + b"}"), "line 3 of the input is broken: no JSON: "),
        (lines([{"type": "STATE"}]), "line 3 of the input is broken: a STATE without a value"),
        (lines([{"type": "SCHEMA", "stream": "Account"}]), "a SCHEMA without an object schema"),
        (lines([{"type": "SCHEMA", "stream": "Account", "schema": {}}]), "a SCHEMA whose schema has no properties"),
        (lines([{"type": "BATCH", "stream": "Account"}]), "a BATCH without an object encoding"),
    ],
    ids=range(18),
)  # fmt: skip
def test_a_line_that_is_no_message_ends_the_run(org: Org, target: TargetRunner, line: bytes, told: str) -> None:
    """Its number is told and none of its values; what came before stays unsent, and STATE too."""
    run = target.run(ACCOUNT, ADA, line, state({"n": 1}), operation="insert")

    assert isinstance(run.error, InputBroken)
    assert told in str(run.error)
    assert "secret" not in str(run.error)
    assert run.states == []
    assert org.rows("Account") == []


def test_a_byte_order_mark_does_no_harm(org: Org, target: TargetRunner) -> None:
    """Windows' tools begin a file with one."""
    run = target.run(b"\xef\xbb\xbf" + lines([ACCOUNT]), ADA, operation="insert")

    assert run.error is None
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]


def test_a_record_of_an_unknown_stream_ends_the_run(org: Org, target: TargetRunner) -> None:
    """Also when another stream is known; none of its values is told."""
    run = target.run(ACCOUNT, records("Konto", SECRET), state({"n": 1}))

    assert "A record for stream 'Konto' was encountered before a corresponding schema" in str(run.error)
    assert "secret" not in str(run.error)
    assert run.states == []


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"Name": "x" * 10_000_000}, "STRING_TOO_LONG"),
        ({"Name": "#N/A"}, "TEXT_MEANS_NULL"),
        ({"Name": {"first": "Ada"}}, "INVALID_RECORD"),
        ({"Name": "Ada", "NumberOfEmployees": 10**30}, "INVALID_TYPE_ON_FIELD_IN_RECORD"),
        ({"Name": "Ada", "NumberOfEmployees": 2**31}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"Name": "Ada", "NumberOfEmployees": 2.5}, "INVALID_RECORD"),
        ({"Name": "Ada", "NumberOfEmployees": "many"}, "INVALID_RECORD"),
        ({"Name": "Ada", "AnnualRevenue": 10**30}, "NUMBER_OUTSIDE_VALID_RANGE"),
        ({"Name": "Ada", "Colour": "red"}, "UNDECLARED_PROPERTY"),
        ({"Name": "Ada", "External_Id__c": " "}, "MISSING_KEY"),
    ],
    ids=range(10),
)
def test_a_record_that_cannot_be_loaded_fails_alone(
    org: Org, target: TargetRunner, record: dict[str, Any], code: str
) -> None:
    """The others are loaded, and it is in the failed file as it came."""
    wrong = {"External_Id__c": "b", **record}

    run = target.run(NUMBERS, ADA, records("Account", wrong), state({"n": 2}))

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [{"n": 2}]
    assert set(run.error_codes) == {None, code}
    assert len(run.outcomes) == 2
    assert [row["Name"] for row in org.rows("Account")] == ["Ada"]
    assert json.loads(run.failed_file.splitlines()[1])["record"] == wrong


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_equal_records_are_all_loaded(org: Org, target: TargetRunner, operation: str) -> None:
    """Three equal rows in one run are three rows for an insert, and one record with three outcomes for an upsert."""
    run = target.run(
        schema("Contact", key=["Email"], Email="string", LastName="string"),
        records("Contact", *[{"Email": "ada@example.com", "LastName": "Ada"}] * 3),
        state({"n": 3}),
        operation=operation,
        external_id_field="Email",
    )

    assert run.error is None
    assert len(run.outcomes) == 3
    assert len(org.rows("Contact")) == {"insert": 3, "upsert": 1}[operation]


def test_any_text_arrives_as_it_is(org: Org, target: TargetRunner) -> None:
    """Quotes, commas, line breaks of every kind, what looks like a number or a formula, and every script."""
    texts = [
        '"',
        '""',
        ",",
        "a\r\nb",
        "a\nb",
        "a\rb",
        "  x ",
        "NA",
        "null",
        "0012",
        "=1+1",
        "\u2028",
        "😀",
        "א",
        "\t",
        "'",
    ]
    people: Message = schema("Contact", key=["n"], n="integer", LastName="string", Description="string")
    rows = records("Contact", *({"n": n, "LastName": f"{n:02}", "Description": text} for n, text in enumerate(texts)))

    run = target.run(people, rows, operation="insert", unknown_fields="drop")

    assert run.error is None
    assert [row["Description"] for row in sorted(org.rows("Contact"), key=lambda row: row["LastName"])] == texts


def test_the_largest_text_that_a_field_takes_is_loaded(target: TargetRunner, org: Org) -> None:
    """131,072 characters, of three bytes each."""
    text = "€" * 32_000

    run = target.run(
        schema("Contact", LastName="string", Description="string"),
        records("Contact", {"LastName": "Ada", "Description": text}),
        operation="insert",
    )

    assert run.error is None
    assert org.rows("Contact")[0]["Description"] == text


@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete", "hardDelete"])
@pytest.mark.parametrize("schema_more", [{}, {"required": ["Id"]}], ids=["optional", "required"])
def test_records_without_their_key_fail_alone(
    org: Org, target: TargetRunner, caplog: pytest.LogCaptureFixture, operation: str, schema_more: dict[str, Any]
) -> None:
    """Whatever the operation; the first ten are logged with their lines, and the outcomes have all lines."""
    (record_id,) = org.insert("Account", [{"Name": "Ada"}])
    message = schema("Account", key=["Id"], Id="string", Name="string")
    message["schema"] |= schema_more
    keyless = records("Account", *({"Name": "x"} for _ in range(12)))

    with caplog.at_level(logging.WARNING, logger="target-salesforce-bulk"):
        run = target.run(
            message, keyless, records("Account", {"Id": record_id, "Name": "Bob"}), state(1), operation=operation
        )

    assert isinstance(run.error, RecordsFailed)
    assert run.states == [1]
    assert sum(code == "MISSING_KEY" for code in run.error_codes) == 12
    failed = [outcome["error_message"] for outcome in run.outcomes if outcome["error_code"] == "MISSING_KEY"]
    assert sorted(failed) == sorted(f"line {n} of the input lacks the key property 'Id'" for n in range(2, 14))
    logged = [record.getMessage() for record in caplog.records if "lacks the key" in record.getMessage()]
    assert len(logged) == 10
    assert logged[0] == "stream 'Account': line 2 of the input lacks the key property 'Id', so it fails"
    assert logged[-1].endswith("so it fails; further ones are in the outcome file only")
    assert len(run.outcomes) == 13


def test_no_row_of_the_fast_path_is_too_long() -> None:
    """A record below its limit cannot become longer than Salesforce takes: numbers and times grow to 40 characters."""
    longest = max(len(to_number(Decimal("-1e40"))), len(to_datetime("2024-01-15")), len(to_number(Decimal("1e-40"))))

    assert longest - len('"":') <= LONGEST_PLAIN_EXPONENT
    assert SURELY_SHORT_BYTES + MAX_RECORD_FIELDS * LONGEST_PLAIN_EXPONENT <= MAX_RECORD_CHARACTERS
