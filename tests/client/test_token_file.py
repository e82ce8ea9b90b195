"""A rotated refresh token: kept in memory and on disk, by one owner, one program at a time."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from salesforce_bulk_client import ConfigError, ConnectionConfig, LoginError, SalesforceClient
from salesforce_bulk_simulator import Fault, Org


@pytest.fixture
def org() -> Org:
    """An org that rotates its refresh tokens."""
    return Org(rotate_refresh_tokens=True)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where the token is kept; nothing is there yet."""
    return tmp_path / "token.json"


@pytest.fixture
def settings(settings: dict[str, Any], kept: Path) -> dict[str, Any]:
    """Settings that log in by refresh token, and keep it."""
    return {**settings, "token_file": str(kept)}


def client_of(settings: dict[str, Any]) -> SalesforceClient:
    """A client with these settings."""
    return SalesforceClient(ConnectionConfig.from_settings(settings))


def kept_token(path: Path) -> str:
    """The token in the file."""
    return str(json.loads(path.read_text())["refresh_token"])


def fail_with_full_disk(*_: object) -> None:
    """What the system says when nothing more can be written."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_rotated_token_is_used_at_the_next_login_of_the_run(
    org: Org, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Also without a token_file; a warning says what that means for the next run."""
    del settings["token_file"]

    with client_of(settings) as client:
        for _ in range(3):
            client.limits()
            org.faults.add("limits", Fault.unauthorized())
        client.limits()

    assert len(org.faults.completed) == 3
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 4
    assert "token_file is not set: this run uses the new one, but the next run cannot log in" in warnings[0]


def test_programs_that_share_a_token_file_log_in_one_after_the_other(
    org: Org, settings: dict[str, Any], kept: Path
) -> None:
    """Two at once would both send the same token, and one would be refused."""
    start = threading.Barrier(8)

    def run(_: int) -> int:
        with client_of(settings) as client:
            start.wait()
            return client.limits()["DailyApiRequests"].max

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(run, range(8)))

    assert len(set(answers)) == 1
    assert org.sessions.refresh_tokens == {kept_token(kept)}


def test_a_program_that_waits_too_long_for_the_token_file_says_so(settings: dict[str, Any], kept: Path) -> None:
    """It ends, and names the lock."""
    with (
        FileLock(f"{kept}.lock"),
        client_of({**settings, "retry_total_s": 0.1}) as client,
        pytest.raises(LoginError, match=r"another program has held '.*token\.json\.lock' for 0\.1 s"),
    ):
        client.limits()


def test_the_token_file_and_its_lock_are_private(settings: dict[str, Any], kept: Path) -> None:
    """Mode 600; the lock of an earlier version is made so."""
    lock = Path(f"{kept}.lock")
    lock.touch(mode=0o644)

    with client_of(settings) as client:
        client.limits()

    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, lock)] == [0o600, 0o600]
    assert sorted(path.name for path in kept.parent.iterdir()) == ["token.json", "token.json.lock"]


def test_a_linked_token_file_is_followed(org: Org, settings: dict[str, Any], tmp_path: Path) -> None:
    """The file that the link names is read, replaced and locked; the link stays one."""
    real = tmp_path / "volume" / "token.json"
    link = tmp_path / "link.json"
    link.symlink_to(real)

    for name in (link, real, link):
        with client_of({**settings, "token_file": str(name)}) as client:
            client.limits()

    assert link.is_symlink()
    assert org.sessions.refresh_tokens == {kept_token(real)}
    assert not Path(f"{link}.lock").exists()
    assert Path(f"{real}.lock").exists()


def test_a_folder_that_cannot_be_written_is_found_out_before_the_token_is_used(
    org: Org, settings: dict[str, Any], kept: Path
) -> None:
    """The token would be lost with the answer; and no traceback."""
    kept.write_text("a file, not a folder")

    with (
        client_of({**settings, "token_file": str(kept / "token.json")}) as client,
        pytest.raises(LoginError, match=r"token\.json' cannot be written \(.*\), so no token was asked for"),
    ):
        client.limits()

    assert org.requests == []


def test_a_full_disk_is_found_out_before_the_token_is_used(
    org: Org, settings: dict[str, Any], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked, so the old token is still good, and the next run logs in."""
    with monkeypatch.context() as patch, client_of(settings) as client:
        patch.setattr(os, "fsync", fail_with_full_disk)
        with pytest.raises(LoginError, match=r"cannot be written \(No space left on device\), so no token was asked"):
            client.limits()

    assert org.requests == []
    assert org.sessions.refresh_tokens == {"sim-refresh"}
    assert [path.name for path in kept.parent.iterdir()] == ["token.json.lock"]


def test_a_token_that_cannot_be_written_is_kept_in_memory(
    org: Org, settings: dict[str, Any], kept: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says so; the next login uses it, and writes its successor."""
    with client_of(settings) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail_with_full_disk)
            client.limits()
        assert not kept.exists()
        org.faults.add("limits", Fault.unauthorized())
        client.limits()

    assert org.faults.completed
    assert "cannot be written (No space left on device): this run uses the new one" in caplog.text
    assert org.sessions.refresh_tokens == {kept_token(kept)}


def test_a_token_that_could_not_be_written_yields_to_a_newer_file(
    org: Org, settings: dict[str, Any], kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has authorized the app anew, and another program has kept that."""
    with client_of(settings) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail_with_full_disk)
            client.limits()
        org.sessions.refresh_tokens = {"authorized-anew"}
        kept.write_text(json.dumps({"refresh_token": "authorized-anew"}))
        org.faults.add("limits", Fault.unauthorized())
        client.limits()

    assert org.faults.completed
    assert org.sessions.refresh_tokens == {kept_token(kept)}


def test_a_token_kept_without_the_setting_is_still_known_to_come_from_it(org: Org, settings: dict[str, Any]) -> None:
    """Left out once, the old refresh_token does not come back to life when it is given again; a new one counts."""
    without = {name: value for name, value in settings.items() if name != "refresh_token"}
    for given in (settings, without, settings, without):
        with client_of(given) as client:
            client.limits()

    org.sessions.refresh_tokens = {"authorized-anew"}

    for given in (without | {"refresh_token": "authorized-anew"}, without):
        with client_of(given) as client:
            client.limits()


@pytest.mark.parametrize("content", ["", "{", "[]", '"token"', "{}", "null"])
def test_a_damaged_token_file_is_one_clear_line(settings: dict[str, Any], kept: Path, content: str) -> None:
    """It names the file and what to do, and prints nothing of it."""
    kept.write_text(content)

    with (
        client_of(settings) as client,
        pytest.raises(ConfigError, match=r"^token_file '.*token\.json' cannot be read: remove it and give a new"),
    ):
        client.limits()
