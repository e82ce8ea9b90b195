"""How a signal ends the tap."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

AGAIN_S = 2.0


def stop(exit_code: int) -> NoReturn:
    """Leave the main thread with ``exit_code``, wherever it is; to be called by the handler of a signal.

    What a handler raises while Python finalizes an object is lost, silently for files and HTTP answers. So it is raised
    again every `AGAIN_S`, until `is_over`.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(exit_code))
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
    sys.exit(exit_code)


def is_over() -> None:
    """Let nothing interrupt what is left to do: the run has ended and told so."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
