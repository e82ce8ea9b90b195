"""Pages become records: by column name, each cell by its field's type."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests
from salesforce_bulk_client import Field, ResultPage
from salesforce_bulk_client.csv_pages import SpooledCsv
from tap_salesforce_bulk.errors import UnexpectedValue
from tap_salesforce_bulk.output.chunks import chunks_of

FIELDS = [
    Field.from_json({"name": "Id", "type": "id"}),
    Field.from_json({"name": "Employees__c", "type": "int"}),
    Field.from_json({"name": "Notes__c", "type": "textarea"}),
]


def read(csv: bytes) -> list[dict[str, Any]]:
    """The records of a page with this body."""
    response = requests.Response()
    response.raw = io.BytesIO(csv)
    response.request = requests.Request("GET", "http://127.0.0.1").prepare()
    with ResultPage(SpooledCsv(response), next_locator=None) as page:
        return [record for chunk in chunks_of(page, fields=FIELDS) for record in chunk.records()]


def test_each_row_is_a_record() -> None:
    """Line breaks, quotes and CRLF within a value are part of it."""
    records = read(b'"Id","Employees__c","Notes__c"\n"1","5","a\r\nb ""c"", d"\n"2","",""\n')

    assert records == [
        {"Id": "1", "Employees__c": 5, "Notes__c": 'a\r\nb "c", d'},
        {"Id": "2", "Employees__c": None, "Notes__c": None},
    ]


def test_columns_are_found_by_name() -> None:
    """Up to API 49 they come in alphabetical order; their case is Salesforce's."""
    (record,) = read(b'"EMPLOYEES__C","id","Notes__c"\n"5","1","x"\n')

    assert list(record.items()) == [("Id", "1"), ("Employees__c", 5), ("Notes__c", "x")]


def test_nul_characters_are_left_out() -> None:
    """They occur in real results, and no target takes them."""
    assert read(b'"Id","Employees__c","Notes__c"\n"1","","a\x00b"\n')[0]["Notes__c"] == "ab"


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        (b'"Id","Notes__c"\n"1","x"\n', "the result's columns are not the fields that were queried"),
        (b'"Id","Employees__c","Notes__c"\n"1","5"\n', "a row of the result has 2 cells instead of 3"),
        (
            b'"Id","Employees__c","Notes__c"\n"1","secret","x"\n',
            "a value of Employees__c is not of type int, as describe says it is",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_that_tells_no_value(csv: bytes, message: str) -> None:
    """A value in the wrong column would be worse than none."""
    with pytest.raises(UnexpectedValue) as caught:
        read(csv)

    assert str(caught.value) == message
