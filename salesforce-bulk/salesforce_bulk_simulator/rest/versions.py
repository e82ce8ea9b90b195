"""The API versions, and the resources of each."""

from __future__ import annotations

from collections.abc import Callable

from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .org_protocol import RestOrg

NEWEST_VERSION = 67


OLDEST_VERSION = 31
"""Versions 21 to 30 were retired in Summer '25 (SOAP API guide, "API End-of-Life")."""


_SEASONS = ("Spring", "Summer", "Winter")


_RESOURCES = ["composite", "jobs", "limits", "query", "queryAll", "sobjects"]
"""The resources that the simulator supports, of the forty that an org lists."""


def versions(_org: RestOrg, _request: Request) -> Response:
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


def version_root(org: RestOrg, request: Request) -> Response:
    """Answer ``GET /services/data/vXX.X``: the resources and their paths, and the identity URL of the user."""
    base = f"/services/data/v{request.version}"
    identity = f"{request.base_url}/id/{org.org_id}/{org.user_id}"
    return json_response({**{name: f"{base}/{name}" for name in _RESOURCES}, "identity": identity})


def directory(path: str, *names: str) -> Callable[[RestOrg, Request], Response]:
    """Return the handler of a resource that only lists its subresources."""

    def answer(_org: RestOrg, request: Request) -> Response:
        base = f"/services/data/v{request.version}/{path}"
        return json_response({name: f"{base}/{name}" for name in names})

    return answer
