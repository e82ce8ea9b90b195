"""OAuth: the token endpoint with its grants, revoke and userinfo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt

from .messages import Request, Response, json_response

if TYPE_CHECKING:
    from .org import Org

CLIENT_ID = "sim-client"
CLIENT_SECRET = "sim-secret"
REFRESH_TOKEN = "sim-refresh"
USERNAME = "sim@example.com"
PASSWORD = "sim-pass"
SECURITY_TOKEN = "sim-token"

_LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")
MY_DOMAIN = "sim.my.salesforce.com"
"""Where the org lives for those who log in at one of the login hosts."""
SCOPE = "api refresh_token"


class LoginRefused(Exception):
    """A token request that is answered with the OAuth error object."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


def token(org: Org, request: Request) -> Response:
    """Answer ``POST /services/oauth2/token``."""
    try:
        return json_response(_grant(org, request))
    except LoginRefused as refused:
        return refusal(refused)


def refusal(refused: LoginRefused) -> Response:
    """Return the answer of a refused token request."""
    return json_response({"error": refused.error, "error_description": refused.description}, status=refused.status)


def _grant(org: Org, request: Request) -> dict[str, Any]:
    form = _form(request)
    grant = form.get("grant_type", "")
    if grant == "refresh_token":
        _check_client(org, form, is_secret_needed=False)
        new_refresh_token = org.sessions.use_refresh_token(form.get("refresh_token", ""))
        if new_refresh_token is None:
            raise LoginRefused("invalid_grant", "expired access/refresh token")
        return _token_answer(org, request) | ({"refresh_token": new_refresh_token} if org.sessions.rotates else {})
    if grant == "client_credentials":
        if request.headers.get("host", "").partition(":")[0].lower() in _LOGIN_HOSTS:
            raise LoginRefused("invalid_grant", "request not supported on this domain")
        _check_client(org, form | _basic_credentials(request))
        return _token_answer(org, request)
    if grant == "password":
        _check_client(org, form)
        if form.get("username") != org.username or not org.accepts_password(form.get("password", "")):
            raise LoginRefused("invalid_grant", "authentication failure")
        return _token_answer(org, request)
    if grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
        _check_assertion(org, form.get("assertion", ""))
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


def _check_client(org: Org, form: dict[str, str], *, is_secret_needed: bool = True) -> None:
    if form.get("client_id") != org.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    secret = form.get("client_secret")
    if secret != org.client_secret and (is_secret_needed or secret is not None):
        raise LoginRefused("invalid_client", "invalid client credentials")


def _check_assertion(org: Org, assertion: str) -> None:
    """Check a JWT: signature by a trusted key, issuer, subject, audience and expiry."""
    try:
        if jwt.get_unverified_header(assertion).get("alg") != "RS256":
            raise LoginRefused("invalid_grant", "invalid assertion")
    except jwt.InvalidTokenError:
        raise LoginRefused("invalid_grant", "invalid assertion") from None
    claims = next((found for key in org.trusted_keys if (found := _claims(assertion, key))), None)
    if claims is None:
        raise LoginRefused("invalid_grant", "invalid assertion")
    if claims.get("iss") != org.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    audiences = {*_LOGIN_HOSTS, *map(_host, org.own_addresses)}
    if not isinstance(claims.get("aud"), str) or _host(claims["aud"]) not in audiences:
        raise LoginRefused("invalid_grant", "audience is invalid")
    if not str(claims.get("exp", "")).isdigit() or int(claims["exp"]) < org.clock.now().timestamp():
        raise LoginRefused("invalid_grant", "expired authorization code")
    if claims.get("sub") != org.username:
        raise LoginRefused("invalid_grant", "user hasn't approved this consumer")


def _host(address: str) -> str:
    """Return the host of an audience, which Salesforce takes without its scheme, and with a slash at its end."""
    return address.removeprefix("https://").removesuffix("/")


def _claims(assertion: str, key: bytes) -> dict[str, Any] | None:
    # exp and aud are checked by our own rules: clients that send exp as a text are let in
    options: Any = {"verify_exp": False, "verify_aud": False}
    try:
        return jwt.decode(assertion, key=key, algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        return None


def instance_url(request: Request) -> str:
    """Return the address of the org: the one of the request, or My Domain when that is a login host."""
    for host in _LOGIN_HOSTS:
        if f"//{host}" in request.base_url.lower():
            return request.base_url.lower().replace(host, MY_DOMAIN)
    return request.base_url


def _token_answer(org: Org, request: Request) -> dict[str, Any]:
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


def introspect(org: Org, request: Request) -> Response:
    """Answer ``POST /services/oauth2/introspect``: what a client may know of a token (RFC 7662).

    The client must say who it is, in the form or by Basic authentication.
    """
    form = _form(request) | _basic_credentials(request)
    try:
        _check_client(org, form)
    except LoginRefused as refused:
        return refusal(LoginRefused(refused.error, refused.description, status=401))
    told = org.sessions.introspect(form.get("token", ""))
    if told is None:
        return json_response({"active": False})
    about = {
        "active": True,
        "scope": SCOPE,
        "client_id": org.client_id,
        "username": org.username,
        "sub": f"{request.base_url}/id/{org.org_id}/{org.user_id}",
    }
    return json_response(about | told)


def revoke(org: Org, request: Request) -> Response:
    """Answer ``/services/oauth2/revoke``."""
    if org.sessions.revoke(_form(request).get("token", "")):
        return Response(200)
    return refusal(LoginRefused("invalid_token", "invalid token"))


def identity(org: Org, request: Request) -> Response:
    """Answer the identity URL, the ``id`` of a token answer."""
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


def _urls(org: Org, base: str) -> dict[str, str]:
    return {
        "rest": f"{base}/services/data/v{{version}}/",
        "sobjects": f"{base}/services/data/v{{version}}/sobjects/",
        "query": f"{base}/services/data/v{{version}}/query/",
        "partner": f"{base}/services/Soap/u/{{version}}/{org.org_id}",
    }


def userinfo(org: Org, request: Request) -> Response:
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
