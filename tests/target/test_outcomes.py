"""Salesforce's error texts, taken apart."""

from __future__ import annotations

import pytest
from target_salesforce_bulk.outcomes import parse_sf_error


@pytest.mark.parametrize(
    ("text", "code", "message", "fields"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [Name]",
            ("Name",),
        ),
        ("ENTITY_IS_DELETED:entity is deleted:--", "ENTITY_IS_DELETED", "entity is deleted", ()),
        ("A_CODE:two fields:Name,Email --", "A_CODE", "two fields", ("Name", "Email")),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION:over\ntwo: lines: -- --", "FIELD_CUSTOM_VALIDATION_EXCEPTION",
         "over\ntwo: lines", ("--",)),
        ("TooManyLockFailure : no field list", "TooManyLockFailure", "no field list", ()),
        ("something else", "UNKNOWN", "something else", ()),
        ("one of these: A:x:--; B:y:--", "UNKNOWN", "one of these: A:x:--; B:y:--", ()),
    ],
)  # fmt: skip
def test_an_error_has_a_code_a_message_and_fields(text: str, code: str, message: str, fields: tuple[str, ...]) -> None:
    """Colons and line breaks in the message are part of it."""
    assert parse_sf_error(text) == (code, message, fields)
