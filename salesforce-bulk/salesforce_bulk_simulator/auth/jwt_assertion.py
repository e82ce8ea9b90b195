"""The JWT bearer flow: what makes an assertion valid."""

from __future__ import annotations

from typing import Any

import jwt

from .errors import LoginRefused
from .login_hosts import LOGIN_HOSTS
from .org_protocol import AuthOrg


def check_assertion(org: AuthOrg, assertion: str) -> None:
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
    audiences = {*LOGIN_HOSTS, *map(_host, org.own_addresses)}
    if not isinstance(claims.get("aud"), str) or _host(claims["aud"]) not in audiences:
        raise LoginRefused("invalid_grant", "audience is invalid")
    if not str(claims.get("exp", "")).isdigit() or int(claims["exp"]) < org.clock.now().timestamp():
        raise LoginRefused("invalid_grant", "expired authorization code")
    if claims.get("sub") != org.username:
        raise LoginRefused("invalid_grant", "user hasn't approved this consumer")


def _host(address: str) -> str:
    """Return the host of an audience, which may lack its scheme or end in a slash."""
    return address.removeprefix("https://").removesuffix("/")


def _claims(assertion: str, key: bytes) -> dict[str, Any] | None:
    # exp and aud are checked separately: Salesforce accepts an exp that is a string
    options: Any = {"verify_exp": False, "verify_aud": False}
    try:
        return jwt.decode(assertion, key=key, algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        return None
