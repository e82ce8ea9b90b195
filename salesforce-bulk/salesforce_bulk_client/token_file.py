"""Where a rotated refresh token is kept: with rotation on, Salesforce kills the old one at once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from salesforce_bulk_client.errors import ConfigError

if TYPE_CHECKING:
    from filelock import FileLock

logger = logging.getLogger(__name__)


def locked(path: Path) -> FileLock:
    """Return a lock to hold while the token is used: the tap and the target of one pipeline may share the file."""
    from filelock import FileLock  # most logins have no token file

    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{path}.lock")


def kept_or(path: Path, *, configured: str) -> str:
    """Return the kept token; but ``configured`` if none is kept, or the setting was given a new one since.

    Raises: ConfigError if the file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kept, origin = str(content["refresh_token"]), content.get("configured_sha256")
    except FileNotFoundError:
        return configured
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"token_file {str(path)!r} cannot be read: remove it and give a new refresh_token") from None
    was_replaced = configured and origin not in {None, _sha256(configured)}
    return configured if was_replaced else kept


def keep(path: Path, token: str, *, configured: str) -> None:
    """Write the token so that the file is at any moment either the old one or the new one, mode 600."""
    content = {"refresh_token": token, "configured_sha256": _sha256(configured) if configured else None}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
    logger.info("the rotated refresh token is kept in token_file")


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
