"""What usually helps against the errors of single records."""

from __future__ import annotations

HINTS = {
    # Codes of the target's own (its README): the record never reached Salesforce, or nothing came back.
    "INVALID_RECORD": "The record breaks its stream's schema: correct it at the source, or the schema.",
    "UNDECLARED_PROPERTY": "The record has a property that its SCHEMA does not declare: declare it, or take it out.",
    "INVALID_VALUE": "A value does not fit the type of its field: correct it, or map the property to another field.",
    "NESTED_VALUE": "The value is an object: flatten it with a stream map, or leave the property out in mappings.",
    "STRING_TOO_LONG": "The text is longer than its field: shorten it with a stream map, or make the field longer.",
    "TEXT_MEANS_NULL": "Salesforce would read the text #N/A as null: send null instead, or another text.",
    "MISSING_KEY": "The record has no value in its key: give it one at the source.",
    "ROW_TOO_LARGE": "The record alone is larger than a job may be.",
    "NOT_PROCESSED": "Its job failed or was aborted, the message says why: see to that, then run the command again.",
    "NO_OUTCOME": "Salesforce does not say if it is loaded: look in the org, then decide with salesforce-bulk batches.",
    "EQUAL_RECORD": "It may be one that was loaded before: look in the org, then decide with salesforce-bulk batches.",
    "FORGOTTEN": "A person has decided not to load it again: nothing, unless it is not in the org after all.",
    # Salesforce's (SOAP API Developer Guide, "StatusCode").
    "REQUIRED_FIELD_MISSING": "Salesforce requires the field: send a value, or give the field a default.",
    "DUPLICATE_VALUE": "A record with this value in a unique field exists already, maybe this one: upsert by it.",
    "DUPLICATES_DETECTED": "A duplicate rule of the org has refused it: merge them, or ease the rule for the user.",
    "DUPLICATE_EXTERNAL_ID": "Several records have this external id: give each its own, and make the field unique.",
    "ENTITY_IS_DELETED": "The record is deleted: nothing to do for a delete; restore it for an update.",
    "INVALID_CROSS_REFERENCE_KEY": "The Id names no record of the right object, or none that the user may see.",
    "MALFORMED_ID": "This is no Id of the object: look at what fills the field.",
    "INVALID_FIELD": "Often a parent that is not in the org: load parents first, or correct the value that names it.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The field cannot be written in this operation: leave it out in mappings.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the org has refused it; the message is the rule's own.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger or flow of the org has failed: its owner can read the message.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "The picklist does not have the value: add it in the org, or map it.",
    "INVALID_EMAIL_ADDRESS": "Not a valid email address: correct it, or send null.",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "The value does not fit the type of the field: correct it.",
    "NUMBER_OUTSIDE_VALID_RANGE": "The number has more digits than the field: correct it, or widen the field.",
    "FIELD_INTEGRITY_EXCEPTION": "The values do not go together, or a parent is not as it must be: see the message.",
    "UNABLE_TO_LOCK_ROW": "Others held the record or its parent: load the failed file again, at a quieter time.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The user may not write this record: give the user access.",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "The user may not use a record that this one refers to.",
    "STORAGE_LIMIT_EXCEEDED": "The org's data storage is full: free some, then load the failed file again.",
    "DELETE_FAILED": "Something else needs the record; the message says what.",
}
"""Error code → one sentence; a code that is not here speaks by its message."""
