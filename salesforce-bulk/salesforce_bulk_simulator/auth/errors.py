"""A token request that is refused."""

from __future__ import annotations


class LoginRefused(Exception):
    """A token request that is answered with the OAuth error object."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
