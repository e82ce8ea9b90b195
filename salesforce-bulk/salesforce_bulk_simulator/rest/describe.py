"""Describe global, and the describe of one object."""

from __future__ import annotations

from typing import Any

from salesforce_bulk_simulator.data.schema.model import SObject
from salesforce_bulk_simulator.http.conditional_requests import conditional
from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .org_protocol import RestOrg
from .path_parts import find_sobject

MASTER_RECORD_TYPE = "012000000000000AAA"
_ONLY_IN_DESCRIBE = {
    "actionOverrides",
    "childRelationships",
    "compactLayoutable",
    "defaultImplementation",
    "extendedBy",
    "extendsInterfaces",
    "fields",
    "implementedBy",
    "implementsInterfaces",
    "listviewable",
    "lookupLayoutable",
    "namedLayoutInfos",
    "networkScopeFieldName",
    "recordTypeInfos",
    "searchLayoutable",
    "sobjectDescribeOption",
    "supportedScopes",
}


def describe_global(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects``."""
    objects = sorted(org.objects.values(), key=lambda each: each.name)
    summaries = [_summary(each, request) for each in objects]
    answer = json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": summaries})
    return conditional(request, answer, changed=org.objects_changed_at)


def _summary(sobject: SObject, request: Request) -> dict[str, Any]:
    answer = {key: value for key, value in sobject.describe.items() if key not in _ONLY_IN_DESCRIBE}
    return answer | {"urls": _urls(sobject, request)}


def _urls(sobject: SObject, request: Request) -> dict[str, str]:
    base = f"/services/data/v{request.version}/sobjects/{sobject.name}"
    return {
        "compactLayouts": f"{base}/describe/compactLayouts",
        "rowTemplate": f"{base}/{{ID}}",
        "approvalLayouts": f"{base}/describe/approvalLayouts",
        "listviews": f"{base}/listviews",
        "describe": f"{base}/describe",
        "quickActions": f"{base}/quickActions",
        "layouts": f"{base}/describe/layouts",
        "sobject": base,
    }


def describe(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/describe``."""
    sobject = find_sobject(org, request)
    urls = _urls(sobject, request) | {
        "uiDetailTemplate": f"{request.base_url}/{{ID}}",
        "uiEditTemplate": f"{request.base_url}/{{ID}}/e",
        "uiNewRecord": f"{request.base_url}/{sobject.key_prefix}/e",
    }
    answer = sobject.describe | {"urls": urls, "recordTypeInfos": _record_types(sobject, request)}
    return conditional(request, json_response(answer), changed=org.objects_changed_at)


def _record_types(sobject: SObject, request: Request) -> list[dict[str, Any]]:
    """Return the object's record types. Every object has at least Master, as in recorded describes."""
    layouts = f"/services/data/v{request.version}/sobjects/{sobject.name}/describe/layouts"
    return sobject.describe.get("recordTypeInfos") or [
        {
            "active": True,
            "available": True,
            "defaultRecordTypeMapping": True,
            "developerName": "Master",
            "master": True,
            "name": "Master",
            "recordTypeId": MASTER_RECORD_TYPE,
            "urls": {"layout": f"{layouts}/{MASTER_RECORD_TYPE}"},
        }
    ]


def sobject_root(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}``."""
    sobject = find_sobject(org, request)
    return json_response({"objectDescribe": _summary(sobject, request), "recentItems": []})
