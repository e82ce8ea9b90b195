"""Access tokens and refresh tokens: issued, extended, expired and revoked."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from salesforce_bulk_simulator.data.clock import Clock


class Sessions:
    """The open sessions of an org."""

    def __init__(self, *, clock: Clock, org_id: str, refresh_token: str, token_life_s: float) -> None:
        self._clock = clock
        self._org_id = org_id
        self._expiries: dict[str, datetime] = {}
        self._issues: dict[str, datetime] = {}
        self.refresh_tokens = {refresh_token}
        self.rotates = False
        self.token_life_s = token_life_s
        """Seconds until an unused session expires; every use extends it."""

    def open(self) -> str:
        """Return a new access token."""
        # the Salesforce CLI accepts only letters, digits, dots and underscores after the exclamation mark
        token = f"{self._org_id[:15]}!AQ{secrets.token_urlsafe(72).replace('-', '.')}"
        self._issues[token] = self._clock.now()
        self._extend(token)
        return token

    def _extend(self, token: str) -> None:
        self._expiries[token] = self._clock.now() + timedelta(seconds=self.token_life_s)

    def use(self, token: str) -> bool:
        """Whether an access token is valid; if so, it is extended."""
        expiry = self._expiries.get(token)
        if expiry is None or expiry <= self._clock.now():
            return False
        self._extend(token)
        return True

    def introspect(self, token: str) -> dict[str, str | int] | None:
        """Return the type and times, in seconds, of a valid token, without extending it."""
        if token in self.refresh_tokens:
            return {"token_type": "refresh_token"}
        expiry = self._expiries.get(token)
        if expiry is None or expiry <= self._clock.now():
            return None
        issued, expires = int(self._issues[token].timestamp()), int(expiry.timestamp())
        return {"token_type": "access_token", "exp": expires, "iat": issued, "nbf": issued}

    def end(self, token: str) -> None:
        self._expiries.pop(token, None)

    def end_all(self) -> None:
        """Invalidate every access token, as an administrator can."""
        self._expiries.clear()

    def use_refresh_token(self, refresh_token: str) -> str | None:
        """Return the refresh token to use from now on; None if the given one is invalid.

        With rotation it is a new one, and the given one is revoked.
        """
        if refresh_token not in self.refresh_tokens:
            return None
        if not self.rotates:
            return refresh_token
        self.refresh_tokens.remove(refresh_token)
        rotated = f"sim-refresh-{secrets.token_urlsafe(12)}"
        self.refresh_tokens.add(rotated)
        return rotated

    def revoke(self, token: str) -> bool:
        """End a session, or a refresh token with all its sessions. Return whether the token was known."""
        if token in self.refresh_tokens:
            self.refresh_tokens.remove(token)
            self.end_all()
            return True
        return self._expiries.pop(token, None) is not None
