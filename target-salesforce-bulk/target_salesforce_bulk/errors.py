"""What ends a run of the target, beside the client's errors.

::

    Interrupted                 a signal asked to stop; ``signal_number``
    TargetError                 ``str()`` gives one line for the user
    ├── InputBroken             a line of the input is not a Singer message
    ├── RecordsFailed           everything was loaded, but Salesforce (or a check of ours) refused some records
    ├── RecordsOutstanding      everything was loaded, but not all that earlier runs could not load
    ├── RecordsUnprocessed      some records were never processed: the run is unfinished
    ├── RecordsDoubtful         it is not known whether some records were loaded: a person decides
    ├── StoppedAtFailure        ``on_record_failure: fail_fast``
    ├── ResultsDirInUse         another run works in the same ``results_dir``
    ├── ResultsDirUnusable      ``results_dir`` is not a folder in which files can be created
    ├── JournalUnusable         the journal is damaged, locked, or of another version
    └── JobDataDamaged          the files of a batch that an earlier run has left cannot be read
"""

from __future__ import annotations

import errno
import signal

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the errors that say so."""


class TargetError(Exception):
    """Base; ``str()`` gives one line for the user."""


class InputBroken(TargetError):
    """A line of the input is not a Singer message."""


class RecordsFailed(TargetError):
    """Everything was loaded, but some records were refused."""


class RecordsOutstanding(TargetError):
    """Everything was loaded, but what earlier runs could not load is still not in Salesforce."""


class RecordsUnprocessed(TargetError):
    """Some records were never processed, so the run is unfinished."""


class RecordsDoubtful(TargetError):
    """It is not known whether some records were loaded."""


class StoppedAtFailure(TargetError):
    """A job had a failure, and ``on_record_failure`` is ``fail_fast``."""


class ResultsDirInUse(TargetError):
    """Another run works in the same ``results_dir``."""


class ResultsDirUnusable(TargetError):
    """The ``results_dir`` is not a folder in which files can be created."""


class JournalUnusable(TargetError):
    """The journal is damaged, locked, or of another version."""


class JobDataDamaged(TargetError):
    """The files of a batch that an earlier run has left cannot be read."""


class Interrupted(BaseException):
    """A signal asked to stop. No Exception: it is raised anywhere, and must pass where those are caught (logging)."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
