"""`StatusTracker`: keeps one record in the org up to date with the run's status and counts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import Any

from salesforce_bulk_client import ConfigError, Field, NotFound, SalesforceClient, SalesforceError, describe
from salesforce_bulk_client.records.cells import NUMBER_TYPES
from salesforce_bulk_client.sobject_collections import upsert_records

logger = logging.getLogger(__name__)

PROPERTIES = ("status", "records_loaded", "records_failed", "message")
"""What can be reported of a run."""

LAST_WORD_S = 5.0
"""A run that ends badly gives its last word so much time: the network may be what is bad."""


LOOK_S = 0.2
"""How often a waiting run checks whether it is asked to stop."""


class RunStatus(Enum):
    """The values of ``status``."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class StatusTracker:
    """Safe to use from several threads. Once begun, it never fails a run: what it cannot write it warns of."""

    def __init__(self, client: SalesforceClient, *, settings: Mapping[str, Any], run_id: str) -> None:
        """``settings`` is the setting ``status_tracking``; without an ``external_ref`` the record is named ``run_id``.

        Raises: ConfigError for an object or a field that does not fit.
        """
        self._client = client
        self._ref = str(settings.get("external_ref") or run_id)
        try:
            described = describe(client, settings["object"])
        except NotFound:
            raise _wrong(f"Salesforce has no object {settings['object']!r}, or your user may not see it") from None
        self._object = described.name
        key = described.field(settings["external_id_field"])
        if key is None or not key.external_id:
            raise _wrong(f"{settings['external_id_field']!r} is not an external ID field of {described.name}")
        self._key = key.name
        self._fields: dict[str, Field] = {}
        for name, target in settings["fields"].items():
            field = described.field(target)
            if field is None or not (field.createable and field.updateable):
                raise _wrong(f"{described.name} has no field {target!r} that can be written")
            if field == key or field in self._fields.values():
                raise _wrong(f"{field.name} can hold only one of external_ref, {', '.join(PROPERTIES)}")
            self._fields[name] = field
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Write that the run has begun.

        Raises: ConfigError if Salesforce refuses that; SalesforceError.
        """
        if refusal := self._write(RunStatus.RUNNING, loaded=0, failed=0, message=""):
            raise _wrong(f"Salesforce refuses the record: {refusal}")

    def report(self, status: RunStatus, *, loaded: int, failed: int, message: str = "") -> None:
        """Write how the run goes."""
        try:
            refusal = self._write(status, loaded=loaded, failed=failed, message=message)
        except SalesforceError as error:
            refusal = str(error)
        if refusal:
            logger.warning("status_tracking: the record %s could not be written: %s", self._ref, refusal)

    def end(self, *, is_good: bool, loaded: int, failed: int, message: str, stop: threading.Event) -> None:
        """Write how the run has ended; after a bad end, and once asked to ``stop``, without waiting for it long."""
        status = RunStatus.SUCCEEDED if is_good else RunStatus.FAILED
        report = partial(self.report, status, loaded=loaded, failed=failed, message=message)
        last_word = threading.Thread(target=report, daemon=True)
        last_word.start()
        while is_good and last_word.is_alive() and not stop.is_set():
            last_word.join(LOOK_S)
        last_word.join(LAST_WORD_S)

    def _write(self, status: RunStatus, *, loaded: int, failed: int, message: str) -> str | None:
        """Return why Salesforce refused the record, or None."""
        values: dict[str, Any] = dict(zip(PROPERTIES, (status.value, loaded, failed, message), strict=True))
        record = {field.name: _fitted(values[name], field) for name, field in self._fields.items()}
        with self._lock:
            (result,) = upsert_records(
                self._client,
                self._object,
                records=[{self._key: self._ref, **record}],
                external_id_field=self._key,
                is_repeatable=True,
            )
        return "; ".join(f"{error.code}: {error.message}" for error in result.errors) or None


def _fitted(value: Any, field: Field) -> Any:
    """Return a value as its field takes it: counts as text where the field is text, text no longer than it may be."""
    if field.type in NUMBER_TYPES:
        return value
    text = str(value)
    return (text[: field.length] if field.length else text) or None


def _wrong(what: str) -> ConfigError:
    return ConfigError(f"status_tracking: {what}")
