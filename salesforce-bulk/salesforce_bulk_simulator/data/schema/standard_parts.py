"""What Salesforce adds to objects: system fields, keys of their describe, and person account fields."""

from __future__ import annotations

from typing import Any

SYSTEM_FIELDS: dict[str, str | dict[str, Any]] = {
    "Id": {
        "type": "id readonly idLookup",
        "nillable": False,
        "defaultedOnCreate": True,
        "permissionable": False,
    },
    "OwnerId": "reference(User,Group) defaulted",
    "IsDeleted": {"type": "boolean readonly", "permissionable": False},
    "Name": {"type": "string(80) name idLookup", "defaultedOnCreate": True},
    "CreatedDate": "datetime readonly defaulted",
    "CreatedById": "reference(User) readonly defaulted",
    "LastModifiedDate": "datetime readonly defaulted",
    "LastModifiedById": "reference(User) readonly defaulted",
    "SystemModstamp": "datetime readonly defaulted",
    "LastActivityDate": "date readonly",
    "LastViewedDate": "datetime readonly",
    "LastReferencedDate": "datetime readonly",
}
DEFAULT_SYSTEM_FIELDS = [
    "Id",
    "OwnerId",
    "IsDeleted",
    "Name",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
]
TRUE_FLAGS = [
    "compactLayoutable",
    "createable",
    "deletable",
    "feedEnabled",
    "layoutable",
    "mruEnabled",
    "queryable",
    "replicateable",
    "retrieveable",
    "searchLayoutable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
]
FALSE_FLAGS = [
    "activateable",
    "customSetting",
    "deepCloneable",
    "deprecatedAndHidden",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "mergeable",
]
NULL_KEYS = [
    "associateEntityType",
    "associateParentEntity",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "implementedBy",
    "implementsInterfaces",
    "listviewable",
    "lookupLayoutable",
    "networkScopeFieldName",
]
CASCADES = {
    ("AccountShare", "AccountId"),
    ("Attachment", "ParentId"),
    ("Contact", "AccountId"),
    ("Event", "WhatId"),
    ("Opportunity", "AccountId"),
    ("Task", "WhatId"),
}
"""Standard children that are deleted with their parent; in recorded describes the field's own flag is false."""
PERSON_ACCOUNT_FIELDS: dict[str, Any] = {
    "Name": {
        "type": "string(255) required name",
        "extraTypeInfo": "switchablepersonname",
        "compoundFieldName": "Name",
    },
    "LastName": {"type": "string(80)", "compoundFieldName": "Name", "extraTypeInfo": "personname"},
    "FirstName": {"type": "string(40)", "compoundFieldName": "Name", "extraTypeInfo": "personname"},
    "Salutation": {"type": "picklist(Mr.,Ms.,Mrs.,Dr.,Prof.)", "compoundFieldName": "Name"},
    "PersonEmail": "email(80) idLookup",
    "PersonMobilePhone": "phone(40)",
    "PersonBirthdate": "date",
    "PersonContactId": "reference(Contact) readonly",
    "IsPersonAccount": "boolean readonly",
}
"""Additional fields of Account in an org with person accounts."""
