"""What ends a run of the target, beside the client's errors.

::

    Interrupted                 a signal asked to stop; ``signal_number``
    TargetError                 ``str()`` gives one line for the user
    ├── InputBroken             a line of the input is no Singer message
    ├── RecordsFailed           everything was loaded, but Salesforce (or a check of ours) refused some records
    ├── RecordsUnprocessed      some records were never processed: the run is unfinished
    ├── StoppedAtFailure        ``on_record_failure: fail_fast``
    ├── ResultsDirInUse         another run works in the same ``results_dir``
    └── OutcomeUnknowable       an earlier run's inserts may or may not have happened
"""

from __future__ import annotations

import signal


class TargetError(Exception):
    """Base; ``str()`` gives one line for the user."""


class InputBroken(TargetError):
    """A line of the input is no Singer message."""


class RecordsFailed(TargetError):
    """Everything was loaded, but some records were refused."""


class RecordsUnprocessed(TargetError):
    """Some records were never processed, so the run is unfinished."""


class StoppedAtFailure(TargetError):
    """A job had a failure, and ``on_record_failure`` is ``fail_fast``."""


class ResultsDirInUse(TargetError):
    """Another run works in the same ``results_dir``."""


class OutcomeUnknowable(TargetError):
    """An earlier run's inserts may or may not have happened, and Salesforce does not know their job any more."""


class Interrupted(BaseException):
    """A signal asked to stop. No Exception: it is raised anywhere, and must pass where those are caught (logging)."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
