"""`ProgressDisplay`: how far a run is, in the log now and then, and on a terminal also as a progress bar."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

LOG_INTERVAL_S = 10.0
TERMINAL_INTERVAL_S = 0.2
BAR_WIDTH = 30


class ProgressDisplay:
    """Shows one line of text, when it is time to."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logged_at = self._shown_at = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def show(self, text: str, *, share: float | None, fields: Mapping[str, Any]) -> None:
        """Show the text; ``share`` of the bar is full, and ``fields`` are those of the log line."""
        now = time.monotonic()
        if now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            self._logger.info("%s", text, extra=dict(fields))
        if self._is_terminal and now - self._shown_at >= TERMINAL_INTERVAL_S:
            self._shown_at = now
            bar = "" if share is None else f"[{'#' * int(min(share, 1) * BAR_WIDTH):{BAR_WIDTH}}] "
            sys.stderr.write(f"\r\033[K{bar}{text}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._is_terminal:
            sys.stderr.write("\r\033[K")
