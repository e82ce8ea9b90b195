"""The error with which a token request is refused."""

from __future__ import annotations


class LoginRefused(Exception):
    """A token request that is answered with an OAuth error object."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
