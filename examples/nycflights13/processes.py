"""Start other programs, wait for them, and stop them again; their output goes to a log."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20


class DemoFailed(Exception):
    """Something outside the demo's own code does not work; the message is for the user."""


class CommandFailed(DemoFailed):
    """A program ended badly, or did not start; the message says which, and where its log is."""

    def __init__(self, command: Sequence[str], *, what: str, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if "[error" in line] or lines  # Meltano says much more after its errors
        super().__init__("\n".join([f"{' '.join(command)} {what}. From its log, {log}:", "", *telling[-10:]]))


def run(command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a program to its end.

    Raises: CommandFailed if its exit code is not 0.
    """
    with log.open("wb") as output:
        program = subprocess.Popen(command, stdout=output, stderr=output, env=env, cwd=cwd)
    try:
        code = program.wait()
    finally:
        _stop(program, signal.SIGTERM)
    if code:
        raise CommandFailed(command, what=f"ended with exit code {code}", log=log)


@contextmanager
def running(
    command: Sequence[str], *, is_ready: Callable[[], bool], log: Path, user: str | None = None
) -> Iterator[None]:
    """Run a server, wait until it is ready, and stop it at the end.

    It gets a session of its own, so that Ctrl-C reaches it only when its turn has come.

    Raises: CommandFailed if it ends, or is not ready in time.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, user=user, start_new_session=True)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            if server.poll() is not None:
                raise CommandFailed(command, what=f"ended with exit code {server.returncode}", log=log)
            if time.monotonic() > deadline:
                raise CommandFailed(command, what=f"was not ready after {START_TIMEOUT_S} s", log=log)
            time.sleep(0.05)
        yield
    finally:
        _stop(server, signal.SIGINT)  # at SIGTERM PostgreSQL would wait for its clients


def _stop(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """End a program, if it still runs, by a signal; by force if that does not help."""
    program.send_signal(number)
    try:
        program.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Tell whether somebody on this machine listens on a TCP port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
