"""The identity URL and userinfo: who is logged in."""

from __future__ import annotations

import time

from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .login_hosts import instance_url
from .org_protocol import AuthOrg


def identity(org: AuthOrg, request: Request) -> Response:
    """Answer the identity URL, the ``id`` of a token response."""
    base = instance_url(request)
    return json_response(
        {
            "id": f"{request.base_url}/id/{org.org_id}/{org.user_id}",
            "asserted_user": True,
            "user_id": org.user_id,
            "organization_id": org.org_id,
            "username": org.username,
            "nick_name": "sim",
            "display_name": "Sim User",
            "email": org.username,
            "email_verified": True,
            "first_name": "Sim",
            "last_name": "User",
            "timezone": "GMT",
            "active": True,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "utcOffset": 0,
            "urls": _urls(org, base),
            "is_app_installed": True,
        }
    )


def _urls(org: AuthOrg, base: str) -> dict[str, str]:
    return {
        "rest": f"{base}/services/data/v{{version}}/",
        "sobjects": f"{base}/services/data/v{{version}}/sobjects/",
        "query": f"{base}/services/data/v{{version}}/query/",
        "partner": f"{base}/services/Soap/u/{{version}}/{org.org_id}",
    }


def userinfo(org: AuthOrg, request: Request) -> Response:
    """Answer ``/services/oauth2/userinfo``."""
    identity = f"{request.base_url}/id/{org.org_id}/{org.user_id}"
    return json_response(
        {
            "sub": identity,
            "user_id": org.user_id,
            "organization_id": org.org_id,
            "preferred_username": org.username,
            "nickname": "sim",
            "name": "Sim User",
            "email": org.username,
            "email_verified": True,
            "given_name": "Sim",
            "family_name": "User",
            "zoneinfo": "GMT",
            "photos": {
                "picture": f"{request.base_url}/profilephoto/005/F",
                "thumbnail": f"{request.base_url}/profilephoto/005/T",
            },
            "profile": f"{request.base_url}/{org.user_id}",
            "picture": f"{request.base_url}/profilephoto/005/F",
            "address": {"country": "US"},
            "urls": _urls(org, request.base_url),
            "active": True,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "utcOffset": 0,
            "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(org.clock.now().timestamp())),
            "is_app_installed": True,
        }
    )
