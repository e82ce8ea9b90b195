"""OAuth: the token endpoint with its grants, introspection and revocation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qs

from salesforce_bulk_simulator.http.messages import Request, Response, json_response

from .errors import LoginRefused
from .jwt_assertion import check_assertion
from .login_hosts import LOGIN_HOSTS, instance_url
from .org_protocol import AuthOrg

SCOPE = "api refresh_token"


def token(org: AuthOrg, request: Request) -> Response:
    """Answer ``POST /services/oauth2/token``."""
    try:
        return json_response(_grant(org, request))
    except LoginRefused as refused:
        return error_response(refused)


def error_response(refused: LoginRefused) -> Response:
    """Return the response to a refused token request."""
    return json_response({"error": refused.error, "error_description": refused.description}, status=refused.status)


def _grant(org: AuthOrg, request: Request) -> dict[str, Any]:
    form = _form(request)
    grant = form.get("grant_type", "")
    if grant == "refresh_token":
        _check_client(org, form, is_secret_needed=False)
        new_refresh_token = org.sessions.use_refresh_token(form.get("refresh_token", ""))
        if new_refresh_token is None:
            raise LoginRefused("invalid_grant", "expired access/refresh token")
        return _token_answer(org, request) | ({"refresh_token": new_refresh_token} if org.sessions.rotates else {})
    if grant == "client_credentials":
        if request.headers.get("host", "").partition(":")[0].lower() in LOGIN_HOSTS:
            raise LoginRefused("invalid_grant", "request not supported on this domain")
        _check_client(org, form | _basic_credentials(request))
        return _token_answer(org, request)
    if grant == "password":
        _check_client(org, form)
        if form.get("username") != org.username or not org.accepts_password(form.get("password", "")):
            raise LoginRefused("invalid_grant", "authentication failure")
        return _token_answer(org, request)
    if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        check_assertion(org, form.get("assertion", ""))
        return _token_answer(org, request)
    raise LoginRefused("unsupported_grant_type", "grant type not supported")


def _form(request: Request) -> dict[str, str]:
    pairs = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {**request.query, **{key: values[0] for key, values in pairs.items()}}


def _basic_credentials(request: Request) -> dict[str, str]:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return {}
    try:
        client_id, _, client_secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return {}
    return {"client_id": client_id, "client_secret": client_secret}


def _check_client(org: AuthOrg, form: dict[str, str], *, is_secret_needed: bool = True) -> None:
    if form.get("client_id") != org.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    secret = form.get("client_secret")
    if secret != org.client_secret and (is_secret_needed or secret is not None):
        raise LoginRefused("invalid_client", "invalid client credentials")


def _token_answer(org: AuthOrg, request: Request) -> dict[str, Any]:
    identity = f"{request.base_url}/id/{org.org_id}/{org.user_id}"
    issued_at = str(int(org.clock.now().timestamp() * 1000))
    signature = hmac.new(org.client_secret.encode(), (identity + issued_at).encode(), hashlib.sha256).digest()
    return {
        "access_token": org.sessions.open(),
        "signature": base64.b64encode(signature).decode(),
        "scope": SCOPE,
        "instance_url": instance_url(request),
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
    }


def introspect(org: AuthOrg, request: Request) -> Response:
    """Answer ``POST /services/oauth2/introspect``: the state of a token (RFC 7662).

    The client must authenticate itself, in the form or with Basic authentication.
    """
    form = _form(request) | _basic_credentials(request)
    try:
        _check_client(org, form)
    except LoginRefused as refused:
        return error_response(LoginRefused(refused.error, refused.description, status=401))
    state = org.sessions.introspect(form.get("token", ""))
    if state is None:
        return json_response({"active": False})
    about = {
        "active": True,
        "scope": SCOPE,
        "client_id": org.client_id,
        "username": org.username,
        "sub": f"{request.base_url}/id/{org.org_id}/{org.user_id}",
    }
    return json_response(about | state)


def revoke(org: AuthOrg, request: Request) -> Response:
    """Answer ``/services/oauth2/revoke``."""
    if org.sessions.revoke(_form(request).get("token", "")):
        return Response(200)
    return error_response(LoginRefused("invalid_token", "invalid token"))
