"""How a signal ends the tap: promptly, whatever its threads are waiting for."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from typing import NoReturn

AGAIN_S = 0.25
END_S = 2.0
"""Time that the run has after a signal, to log its totals and close what is open."""


def end_in_time() -> None:
    """Start a thread that ends the process `END_S` after a signal, unless the main thread has done so.

    Python writes each signal's number to the pipe as it arrives, so this works also while the main thread is in a call
    that does not heed signals, such as a name lookup.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_wait_for_signal, args=[reader], name="end-in-time", daemon=True).start()


def _wait_for_signal(reader: int) -> None:
    while (number := os.read(reader, 1)[0]) not in {signal.SIGTERM, signal.SIGINT}:
        pass
    threading.Event().wait(END_S)
    os._exit(128 + number)


def stop(exit_code: int) -> NoReturn:
    """Leave the main thread with ``exit_code``, wherever it is; to be called by the handler of a signal.

    What a handler raises while Python finalizes an object is lost, silently for files and HTTP answers; what it raises
    while something waits for a thread is followed by the next wait. So it is raised again every `AGAIN_S`, until
    `is_over`.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(exit_code))
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
        atexit.register(is_over)  # later an alarm would kill the process
    sys.exit(exit_code)


def is_over() -> None:
    """Ignore signals from now on: the run has ended and reported so."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)


def leave(error: BaseException | None) -> None:
    """End the process here if a signal has ended the run: Python itself would wait for threads that hang."""
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code)
