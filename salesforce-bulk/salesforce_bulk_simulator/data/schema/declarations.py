"""Objects declared in short YAML, expanded to the full describe that Salesforce would return.

A file declares one object, or several under ``objects``::

    name: Plane__c            # the only required key
    prefix: a0B               # three characters; generated if absent
    label: Plane
    system: [Id, OwnerId, IsDeleted, Name, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp]
    flags: {deletable: false} # keys of describe that differ from the default
    bulk: false               # not supported by the Bulk API
    fields:
      Tailnum__c: string(10) required externalId unique
      Engine__c: {type: picklist restricted, values: [Turbo-fan, Turbo-jet]}
      Airline__c: reference(Airline__c)
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from .field_types import component_declarations, describe_field
from .model import SObject
from .standard_parts import (
    CASCADES,
    DEFAULT_SYSTEM_FIELDS,
    FALSE_FLAGS,
    NULL_KEYS,
    PERSON_ACCOUNT_FIELDS,
    SYSTEM_FIELDS,
    TRUE_FLAGS,
)

_KNOWN_KEYS = {"name", "prefix", "label", "label_plural", "system", "flags", "bulk", "filter_needed", "fields"}


@cache
def standard_declarations(*, person_accounts: bool = False) -> tuple[dict[str, Any], ...]:
    """Return the declarations of the standard objects that ship with the simulator."""
    folder = files(__package__) / "objects"
    texts = [entry.read_text() for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)]
    declarations = [declaration for text in texts for declaration in _in_document(yaml.safe_load(text))]
    if person_accounts:
        account = next(each for each in declarations if each["name"] == "Account")
        account["fields"] |= PERSON_ACCOUNT_FIELDS
    return tuple(declarations)


def read_declarations(source: dict[str, Any] | str | Path) -> list[dict[str, Any]]:
    """Return the declarations in a YAML file, or in a mapping of the same structure."""
    return _in_document(source if isinstance(source, dict) else yaml.safe_load(Path(source).read_text()))


def _in_document(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        raise ValueError("declare an object as a mapping, or several as a list of mappings under 'objects'")
    return list(document.get("objects", [document]))


def build_objects(declarations: Iterable[dict[str, Any]]) -> dict[str, SObject]:
    """Return the objects by name in lower case; a later declaration of a name replaces an earlier one.

    Raises:
        ValueError: a declaration is invalid, or two objects share a key prefix.
    """
    by_name = {str(declaration.get("name", "")).lower(): declaration for declaration in declarations}
    prefixes: dict[str, str] = {}
    for name, declaration in by_name.items():
        if (prefix := str(declaration.get("prefix", ""))) and prefixes.setdefault(prefix, name) != name:
            raise ValueError(f"{declaration['name']}: the key prefix {prefix} is already used by {prefixes[prefix]}")
    objects = {}
    for name, declaration in by_name.items():
        prefix = str(declaration.get("prefix") or free_prefix(prefixes))
        prefixes[prefix] = name
        objects[name] = _build(declaration, key_prefix=prefix)
    _fill_child_relationships(objects)
    return objects


def free_prefix(prefixes: Container[str]) -> str:
    """Return an unused key prefix for a custom object."""
    return next(prefix for number in range(36**2) if (prefix := f"a{_base36(number)}") not in prefixes)


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return digits[number // 36] + digits[number % 36]


def _build(declaration: dict[str, Any], *, key_prefix: str) -> SObject:
    name = declaration.get("name")
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"an object needs a name, not {name!r}")
    unknown = set(declaration) - _KNOWN_KEYS
    if unknown:
        raise ValueError(f"{name}: unknown key {min(unknown)!r}; known keys: {', '.join(sorted(_KNOWN_KEYS))}")
    label = declaration.get("label") or name.removesuffix("__c").replace("_", " ")
    own_fields: dict[str, Any] = declaration.get("fields") or {}
    system = declaration.get("system", DEFAULT_SYSTEM_FIELDS)
    all_fields = _in_order(own_fields, system, is_custom=name.endswith("__c"))
    try:
        fields = [describe_field(key, value) for key, value in all_fields.items()]
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    for each in fields:
        if each["name"] in SYSTEM_FIELDS and not each["createable"]:
            each["permissionable"] = False
        if each["name"] == "Id":
            each["label"] = f"{label} ID"
    describe: dict[str, Any] = dict.fromkeys(TRUE_FLAGS, True) | dict.fromkeys(FALSE_FLAGS, False)
    describe |= dict.fromkeys(NULL_KEYS)
    describe |= {
        "actionOverrides": [],
        "childRelationships": [],
        "custom": name.endswith("__c"),
        "fields": fields,
        "keyPrefix": key_prefix,
        "label": label,
        "labelPlural": declaration.get("label_plural") or label + "s",
        "name": name,
        "namedLayoutInfos": [],
        "recordTypeInfos": [],
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {label}s", "name": "everything"}],
    }
    describe |= declaration.get("flags") or {}
    return SObject.from_describe(
        describe,
        key_prefix=key_prefix,
        is_in_bulk=declaration.get("bulk", True),
        filter_needed=tuple(declaration.get("filter_needed", ())),
    )


def _in_order(own_fields: dict[str, Any], system: list[str], *, is_custom: bool) -> dict[str, Any]:
    """Return all fields in Salesforce's order: Id, own standard fields, system fields, then custom fields."""
    all_system = {key: own_fields.get(key, SYSTEM_FIELDS[key]) for key in system}
    expanded: dict[str, Any] = {}
    for key, value in own_fields.items():
        if key not in all_system:
            expanded |= component_declarations(key, value) | {key: value}
    if is_custom:
        return all_system | expanded
    first = {key: value for key, value in all_system.items() if key in ("Id", "IsDeleted")}
    custom = {key: value for key, value in expanded.items() if key.endswith(("__c", "__s"))}
    standard = {key: value for key, value in expanded.items() if key not in custom}
    return first | standard | all_system | custom


def _fill_child_relationships(objects: dict[str, SObject]) -> None:
    for child in objects.values():
        for field in child.fields.values():
            for parent in field.reference_to:
                if parent.lower() in objects and field.describe["createable"]:
                    objects[parent.lower()].describe["childRelationships"].append(
                        {
                            "cascadeDelete": field.describe["cascadeDelete"] or (child.name, field.name) in CASCADES,
                            "childSObject": child.name,
                            "deprecatedAndHidden": False,
                            "field": field.name,
                            "junctionIdListNames": [],
                            "junctionReferenceTo": [],
                            "relationshipName": None if field.is_polymorphic else child.describe["labelPlural"],
                            "restrictedDelete": False,
                        }
                    )
