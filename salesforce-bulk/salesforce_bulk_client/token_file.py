"""The refresh token that is good now: with rotation on, Salesforce gives a new one and kills the old one at once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client.errors import ConfigError, LoginError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

RESERVED_BYTES = 4096
"""Room on the disk for the new token, taken before it is asked for."""


class RefreshToken:
    """The newest refresh token, and its only owner: in memory and, if there is a ``token_file``, on disk.

    Programs that share the file take turns, since each rotation kills the token that the others have read.
    Used by one thread at a time.
    """

    def __init__(self, *, configured: str, path: Path | None) -> None:
        self._configured = configured
        self._path = path
        self._newest = configured
        self._is_unsaved = False
        self._read: str | None = None
        """What the file held last; the newest one is not there while it is unsaved."""
        self._origin: str | None = None
        """Digest of the configured token from which the newest one comes."""
        self._next_file: _NextFile | None = None

    @contextmanager
    def turn(self, *, wait_s: float) -> Iterator[str]:
        """Give the token for one login, during which no other program uses it; then `keep` what it answers.

        Raises: ConfigError if the file cannot be read; LoginError if it cannot be locked or written. Nothing was
            asked then, and the kept token is still good.
        """
        if self._path is None:
            yield self._newest
            return
        path = self._path.resolve()  # all names of one file have one lock
        with _locked(path, wait_s=wait_s), _NextFile(path) as self._next_file:
            kept = self._kept(path)
            if not self._is_unsaved or kept != self._read:
                self._newest, self._is_unsaved = kept, False
            self._read = kept
            yield self._newest

    def keep(self, token: str) -> None:
        """Keep the token that a login has answered, before its session is used; the same one again is fine."""
        is_new = token != self._newest
        self._newest = token
        if self._path is None and is_new:
            logger.warning(
                "Salesforce has rotated the refresh token, and token_file is not set: this run uses the new one, but"
                " the next run cannot log in (set token_file, and authorize the app again)"
            )
        if self._next_file is None or not (is_new or self._is_unsaved):
            return
        try:
            self._next_file.write({"refresh_token": token, "configured_sha256": self._origin})
        except OSError as error:
            self._is_unsaved = True
            logger.warning(
                "Salesforce has rotated the refresh token, but token_file %s cannot be written (%s): this run uses the"
                " new one, and tries to write it at its next login; otherwise the next run cannot log in",
                self._path,
                error.strerror,
            )
            return
        self._is_unsaved = False
        logger.info("the rotated refresh token is kept in token_file")

    def _kept(self, path: Path) -> str:
        """Return the kept token; but the configured one if none is kept, or the setting was given a new one since."""
        ours = _sha256(self._configured) if self._configured else None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            kept, origin = str(content["refresh_token"]), content.get("configured_sha256")
        except FileNotFoundError:
            kept, origin = self._configured, ours
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                f"token_file {str(path)!r} cannot be read: remove it and give a new refresh_token"
            ) from None
        if ours and origin not in {None, ours}:
            kept = self._configured
        self._origin = ours or origin
        return kept


class _NextFile:
    """A file that can become the token file without any more room on the disk; mode 600."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _NextFile:
        try:
            handle, self._name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mode 600
        except OSError as error:
            raise _unusable(self._path, error) from error
        self._file = os.fdopen(handle, "wb")
        try:
            self._fill(b"")
        except OSError as error:
            self.__exit__()
            raise _unusable(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it may try again to write what did not fit
            self._file.close()
        Path(self._name).unlink(missing_ok=True)

    def write(self, content: dict[str, Any]) -> None:
        """Put it in the token file's place, which is at any moment either the old one or the new one."""
        self._fill(json.dumps(content).encode())
        Path(self._name).replace(self._path)

    def _fill(self, content: bytes) -> None:
        self._file.seek(0)
        self._file.write(content.ljust(RESERVED_BYTES))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def _locked(path: Path, *, wait_s: float) -> Iterator[None]:
    from filelock import FileLock, Timeout  # most logins have no token file

    lock_path = Path(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path, timeout=wait_s, mode=0o600)
        lock.acquire()
    except Timeout:
        raise LoginError(
            f"another program has held {str(lock_path)!r} for {wait_s:g} s: programs that share a token_file log in"
            " one after the other"
        ) from None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        with suppress(OSError):
            lock_path.chmod(0o600)  # it was 644 once, so that anybody on this machine could hold it
        yield
    finally:
        lock.release()


def _unusable(path: Path, error: OSError) -> LoginError:
    return LoginError(
        f"token_file {str(path)!r} cannot be written ({error.strerror}), so no token was asked for: a rotated one would"
        " be lost"
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
