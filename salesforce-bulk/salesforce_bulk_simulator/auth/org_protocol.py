"""What logging in and out needs of an org."""

from __future__ import annotations

from typing import Protocol

from salesforce_bulk_simulator.data.clock import Clock

from .sessions import Sessions


class AuthOrg(Protocol):
    """An org as this room sees it: its credentials and sessions. ``Org`` says what each attribute is."""

    clock: Clock
    sessions: Sessions
    org_id: str
    name: str
    user_id: str
    username: str
    client_id: str
    client_secret: str
    trusted_keys: list[bytes]
    own_addresses: set[str]
    person_accounts: bool

    def accepts_password(self, text: str) -> bool:
        """Whether a text is the password, with or without the security token."""
