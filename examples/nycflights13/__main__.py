"""The command line of the demo; scripts/demo calls it."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from filelock import FileLock, Timeout
from rich.console import Console

from examples.nycflights13.demo import FIRST_DAYS, WHOLE_YEAR, tell
from examples.nycflights13.processes import DemoFailed
from examples.nycflights13.sandbox import PROJECT


def main() -> int:
    """Run the demo; gives the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all of 2013, 341,572 rows, instead of three days of flights"
    )
    parser.add_argument("--keep", action="store_true", help="leave both servers running until Enter is pressed")
    arguments = parser.parse_args()
    console = Console()
    folder = PROJECT / ".demo"
    signal.signal(signal.SIGTERM, _stop)
    try:
        with FileLock(PROJECT / ".demo.lock", timeout=0):
            is_good = tell(
                console,
                folder=folder,
                last_day=WHOLE_YEAR if arguments.full else FIRST_DAYS,
                is_kept_open=arguments.keep,
            )
    except Timeout:
        console.print("[red]Another demo is running in this folder.[/]")
        return 1
    except DemoFailed as error:
        console.print("\n[bold red]The demo cannot go on.[/]")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; both servers are down.")
        return 130
    return 0 if is_good else 1


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
