"""The describe of one field, generated from a short declaration such as ``string(80) required unique``."""

from __future__ import annotations

import re
from typing import Any

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "long": "xsd:long",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
    "anyType": "xsd:anyType",
}
TEXT_TYPES = ("string", "picklist", "multipicklist", "combobox", "phone", "url", "email", "textarea", "encryptedstring")
NUMBER_TYPES = ("int", "long", "double", "currency", "percent")
_DEFAULT_LENGTHS = {
    "string": 255,
    "picklist": 255,
    "multipicklist": 4099,
    "combobox": 255,
    "phone": 40,
    "url": 255,
    "email": 80,
    "textarea": 255,
    "encryptedstring": 175,
    "anyType": 255,
}
_BOOLEANS = [
    "aggregatable",
    "aiPredictionField",
    "autoNumber",
    "calculated",
    "cascadeDelete",
    "caseSensitive",
    "createable",
    "custom",
    "defaultedOnCreate",
    "dependentPicklist",
    "deprecatedAndHidden",
    "displayLocationInDecimal",
    "encrypted",
    "externalId",
    "filterable",
    "formulaTreatNullNumberAsZero",
    "groupable",
    "highScaleNumber",
    "htmlFormatted",
    "idLookup",
    "nameField",
    "namePointing",
    "nillable",
    "permissionable",
    "polymorphicForeignKey",
    "queryByDistance",
    "restrictedDelete",
    "restrictedPicklist",
    "searchPrefilterable",
    "sortable",
    "unique",
    "updateable",
    "writeRequiresMasterRead",
]
_FLAGS: dict[str, dict[str, Any]] = {
    "required": {"nillable": False, "permissionable": False},
    "unique": {"unique": True},
    "externalId": {"externalId": True, "idLookup": True},
    "idLookup": {"idLookup": True},
    "caseSensitive": {"caseSensitive": True},
    "restricted": {"restrictedPicklist": True},
    "name": {"nameField": True},
    "personname": {"nameField": True, "extraTypeInfo": "personname"},
    "readonly": {"createable": False, "updateable": False},
    "createonly": {"updateable": False},
    "formula": {"calculated": True, "createable": False, "updateable": False},
    "autonumber": {"autoNumber": True, "createable": False, "updateable": False},
    "nofilter": {"filterable": False, "sortable": False, "groupable": False},
    "defaulted": {"defaultedOnCreate": True, "nillable": False},
    "cascade": {"cascadeDelete": True, "writeRequiresMasterRead": True, "nillable": False},
}
_ADDRESS_PARTS: dict[str, dict[str, Any]] = {
    "Street": {"type": "textarea(255)"},
    "City": {"type": "string(40)"},
    "State": {"type": "string(80)"},
    "PostalCode": {"type": "string(20)"},
    "Country": {"type": "string(80)"},
    "Latitude": {"type": "double(18,15)"},
    "Longitude": {"type": "double(18,15)"},
    "GeocodeAccuracy": {
        "type": "picklist(40) restricted",
        "values": [
            "Address",
            "NearAddress",
            "Block",
            "Street",
            "ExtendedZip",
            "Zip",
            "Neighborhood",
            "City",
            "County",
            "State",
            "Unknown",
        ],
    },
}
_LOCATION_PARTS: dict[str, dict[str, Any]] = {
    "Latitude__s": {"type": "double(18,15)", "custom": True},
    "Longitude__s": {"type": "double(18,15)", "custom": True},
}
_DECLARATION = re.compile(r"(?P<type>\w+)(?:\((?P<arguments>[^)]*)\))?(?P<flags>(?:\s+\w+(?:=\S+)?)*)\s*")


def describe_field(name: str, declaration: str | dict[str, Any]) -> dict[str, Any]:
    """Return the full describe of a field.

    ``declaration`` is a type with arguments and flags (``currency(18,2) required``, ``reference(User,Group)``), or a
    mapping with such a text as ``type``, ``values`` for a picklist, and any other key of describe.

    Raises:
        ValueError: the declaration is invalid.
    """
    keys = {"type": declaration} if isinstance(declaration, str) else dict(declaration)
    match = _DECLARATION.fullmatch(str(keys.pop("type", "")))
    if match is None or not _is_known_type(match["type"]):
        raise ValueError(f"field {name}: cannot read the declaration {declaration!r}")
    kind = match["type"]
    arguments = [text.strip() for text in (match["arguments"] or "").split(",") if text.strip()]
    field = _basic(name, kind)
    _apply_arguments(field, arguments)
    values = keys.pop("values", None)
    if values is not None:
        field["picklistValues"] = [_picklist_value(value) for value in values]
    for flag in match["flags"].split():
        key, _, value = flag.partition("=")
        if value:
            field[key] = value
        elif key in _FLAGS:
            field.update(_FLAGS[key])
        else:
            raise ValueError(f"field {name}: unknown flag {key!r}; known flags: {', '.join(_FLAGS)}")
    unknown = [key for key in keys if key not in field]
    if unknown:
        raise ValueError(f"field {name}: describe has no key {unknown[0]!r}")
    field.update(keys)
    return field


def component_declarations(compound: str, declaration: str | dict[str, Any]) -> dict[str, Any]:
    """Return the declarations of the fields that a compound field is composed of; none for other fields."""
    kind = declaration if isinstance(declaration, str) else str(declaration.get("type", ""))
    if kind.split()[:1] == ["address"]:
        stem, parts = compound.removesuffix("Address"), _ADDRESS_PARTS
    elif kind.split()[:1] == ["location"]:
        stem, parts = compound.removesuffix("c"), _LOCATION_PARTS
    else:
        return {}
    return {stem + part: {**each, "compoundFieldName": compound} for part, each in parts.items()}


def _is_known_type(kind: str) -> bool:
    return kind in _SOAP_TYPES or kind in TEXT_TYPES


def _basic(name: str, kind: str) -> dict[str, Any]:
    is_custom = name.endswith("__c")
    is_compound = kind in ("address", "location")
    is_long = kind == "base64"
    field: dict[str, Any] = dict.fromkeys(_BOOLEANS, False)
    field |= {
        "byteLength": 0,
        "calculatedFormula": None,
        "compoundFieldName": None,
        "controllerName": None,
        "defaultValue": False if kind == "boolean" else None,
        "defaultValueFormula": None,
        "digits": 8 if kind == "int" else 18 if kind == "long" else 0,
        "extraTypeInfo": None,
        "filteredLookupInfo": None,
        "inlineHelpText": None,
        "label": _label(name),
        "length": 0,
        "mask": None,
        "maskType": None,
        "name": name,
        "picklistValues": [],
        "precision": 18 if kind in ("double", "currency") else 5 if kind == "percent" else 0,
        "referenceTargetField": None,
        "referenceTo": [],
        "relationshipName": None,
        "relationshipOrder": None,
        "scale": 2 if kind in ("double", "currency", "percent") else 0,
        "soapType": _SOAP_TYPES.get(kind, "xsd:string"),
        "type": kind,
        "aggregatable": kind not in ("boolean", "base64") and not is_compound,
        "createable": not is_compound,
        "custom": is_custom,
        "defaultedOnCreate": kind == "boolean",
        "filterable": not is_long,
        "groupable": kind not in ("datetime", "base64", *NUMBER_TYPES[2:]) and not is_compound,
        "nillable": kind != "boolean",
        "permissionable": True,
        "queryByDistance": is_compound,
        "sortable": not is_long and not is_compound,
        "updateable": not is_compound,
    }
    _set_length(field, 18 if kind in ("id", "reference") else _DEFAULT_LENGTHS.get(kind, 0))
    return field


def _set_length(field: dict[str, Any], length: int) -> None:
    field["length"] = length
    field["byteLength"] = length if field["soapType"] == "tns:ID" else 3 * length


def _apply_arguments(field: dict[str, Any], arguments: list[str]) -> None:
    kind = field["type"]
    if kind == "reference":
        field["referenceTo"] = arguments
        field["relationshipName"] = _relationship_name(field["name"])
        field["polymorphicForeignKey"] = field["namePointing"] = len(arguments) > 1
    elif kind in ("picklist", "multipicklist", "combobox") and arguments and not arguments[0].isdigit():
        field["picklistValues"] = [_picklist_value(value) for value in arguments]
    elif kind in NUMBER_TYPES[2:] and arguments:
        field["precision"], field["scale"] = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    elif kind in ("int", "long") and arguments:
        field["digits"] = int(arguments[0])
    elif arguments:
        _set_length(field, int(arguments[0]))
    if kind == "textarea":
        field["extraTypeInfo"] = "plaintextarea"
        if field["length"] > 255:  # long text areas can be neither filtered nor sorted
            field |= dict.fromkeys(("filterable", "sortable", "groupable", "aggregatable"), False)
    if kind == "multipicklist":
        field |= {"sortable": False, "groupable": False}


def _picklist_value(value: Any) -> dict[str, Any]:
    return {"active": True, "defaultValue": False, "label": str(value), "validFor": None, "value": str(value)}


def _relationship_name(name: str) -> str | None:
    if name.endswith("__c"):
        return name[:-1] + "r"
    return name.removesuffix("Id") if name.endswith("Id") else None


def _label(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " "))
    return words.removesuffix(" Id") + " ID" if words.endswith(" Id") else words
