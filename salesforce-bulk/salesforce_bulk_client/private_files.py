"""How files that hold records or secrets are created: nobody but their owner can read them."""

from __future__ import annotations

import os


def for_owner(path: str, flags: int) -> int:
    """Open a file, which gets mode 600 if it is new: for ``open(path, "x", opener=for_owner)``."""
    return os.open(path, flags, 0o600)
