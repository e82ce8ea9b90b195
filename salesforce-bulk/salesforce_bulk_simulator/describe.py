"""Versions, describe global, describe and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .conditional import conditional
from .errors import not_found
from .messages import Request, Response, json_response
from .schema.model import SObject

if TYPE_CHECKING:
    from .org import Org

NEWEST_VERSION = 67
MASTER_RECORD_TYPE = "012000000000000AAA"
OLDEST_VERSION = 31
"""Versions 21 to 30 were retired in Summer '25 (SOAP API guide, "API End-of-Life")."""
_SEASONS = ("Spring", "Summer", "Winter")
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
_RESOURCES = ["composite", "jobs", "limits", "query", "queryAll", "sobjects"]
"""What the simulator serves of the forty resources that an org lists."""


def versions(_org: Org, _request: Request) -> Response:
    """Answer ``GET /services/data``, oldest first."""
    return json_response(
        [
            {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
            for number in range(OLDEST_VERSION, NEWEST_VERSION + 1)
        ]
    )


def _label(number: int) -> str:
    """Return the release of a version: 66 is Spring '26."""
    return f"{_SEASONS[number % 3]} '{(number + 12) // 3 if number % 3 != 2 else (number + 13) // 3}"


def version_root(org: Org, request: Request) -> Response:
    """Answer ``GET /services/data/vXX.X``: resource names and paths, and the address of who asks."""
    base = f"/services/data/v{request.version}"
    identity = f"{request.base_url}/id/{org.org_id}/{org.user_id}"
    return json_response({**{name: f"{base}/{name}" for name in _RESOURCES}, "identity": identity})


def directory(path: str, *names: str) -> Callable[[Org, Request], Response]:
    """Return the handler of a resource that only lists those below it."""

    def answer(_org: Org, request: Request) -> Response:
        base = f"/services/data/v{request.version}/{path}"
        return json_response({name: f"{base}/{name}" for name in names})

    return answer


def describe_global(org: Org, request: Request) -> Response:
    """Answer ``GET /sobjects``."""
    objects = sorted(org.objects.values(), key=lambda each: each.name)
    summaries = [_summary(each, request) for each in objects]
    answer = json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": summaries})
    return conditional(request, answer, changed=org.made_at)


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


def find_sobject(org: Org, request: Request) -> SObject:
    """Return the object in the path.

    Raises:
        RequestRefused: 404, there is none.
    """
    sobject = org.objects.get(request.parts["sobject"].lower())
    if sobject is None:
        raise not_found()
    return sobject


def describe(org: Org, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}/describe``."""
    sobject = find_sobject(org, request)
    urls = _urls(sobject, request) | {
        "uiDetailTemplate": f"{request.base_url}/{{ID}}",
        "uiEditTemplate": f"{request.base_url}/{{ID}}/e",
        "uiNewRecord": f"{request.base_url}/{sobject.key_prefix}/e",
    }
    answer = sobject.describe | {"urls": urls, "recordTypeInfos": _record_types(sobject, request)}
    return conditional(request, json_response(answer), changed=org.made_at)


def _record_types(sobject: SObject, request: Request) -> list[dict[str, Any]]:
    """Return the object's record types. Each object has at least Master, as in recorded describes."""
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


def sobject_root(org: Org, request: Request) -> Response:
    """Answer ``GET /sobjects/{Object}``."""
    sobject = find_sobject(org, request)
    return json_response({"objectDescribe": _summary(sobject, request), "recentItems": []})


def limits(org: Org, _request: Request) -> Response:
    """Answer ``GET /limits``."""
    return json_response(
        {name: {"Max": limit.max, "Remaining": limit.remaining} for name, limit in sorted(org.limits.items())}
    )


def record_count(org: Org, request: Request) -> Response:
    """Answer ``GET /limits/recordCount``; unknown objects are left out."""
    names = request.query.get("sObjects")
    wanted = (
        org.objects.values()
        if names is None
        else [sobject for name in names.split(",") if (sobject := org.objects.get(name.strip().lower()))]
    )
    with org.lock:
        counts = [{"count": org.store.count(sobject), "name": sobject.name} for sobject in wanted]
    return json_response({"sObjects": counts})
