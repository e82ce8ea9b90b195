"""`SObjectSink`: one stream's records on their way into one object. All the work is done by `Run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from salesforce_bulk_client.records.cells import decode_json
from singer_sdk import metrics
from singer_sdk.exceptions import InvalidRecord
from singer_sdk.sinks import Sink

from target_salesforce_bulk.batches.outstanding_changes import id_as_fingerprint
from target_salesforce_bulk.mapping.fingerprints import record_fingerprint
from target_salesforce_bulk.mapping.plan import Refusal
from target_salesforce_bulk.mapping.plan_builder import make_plan
from target_salesforce_bulk.mapping.stream_settings import StreamSettings
from target_salesforce_bulk.messages.fast_records import FastRecords
from target_salesforce_bulk.messages.validation import RecordValidator

if TYPE_CHECKING:
    from target_salesforce_bulk.target import TargetSalesforceBulk

_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


LOGGED_WITHOUT_KEY = 10
"""So many records of a stream without their key are logged."""


class _SilentTimer(metrics.Timer):
    """A timer without a METRIC line: handing rows on takes no time that says anything."""

    def __exit__(self, *_: object) -> None:
        """Log nothing."""


class SObjectSink(Sink):
    """Hands records on, each with what its schema has against it."""

    def __init__(
        self,
        target: TargetSalesforceBulk,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str] | None,
    ) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._load = target.load
        self._take_one = target.take_record
        self._target = target
        self._source = source = target.source_of(stream_name)
        self._plan = make_plan(
            stream_name,
            schema=self.schema,
            key_properties=self.key_properties,
            settings=StreamSettings.of_lookups(self.schema)
            or StreamSettings.for_stream(stream_name, settings=self.config),
            describe=target.describe,
            source=source,
        )
        properties = source.loaded_properties([mapping.property for mapping in self._plan.column_mappings])
        self._identity_of = record_fingerprint(self._plan.destination, properties=properties)
        self._is_mapped = source.is_mapped
        self._violation: str | None = None
        self._number_without_key = 0
        self._fast = FastRecords.for_plan(self._plan, schema=self.schema, key_properties=self.key_properties)

    @property
    def takes_chunks(self) -> bool:
        """Whether records may come to `take` as they stand in the input."""
        is_plain = not (self.include_sdc_metadata_properties or self._source.is_retry)
        return self._fast is not None and is_plain

    def take(self, records: list[Raw], lines: list[int]) -> None:
        """Take RECORDs as they stand in the input; those that something is wrong with go the SDK's road."""
        assert self._fast
        destination = self._plan.destination
        for record, line, row in zip(records, lines, self._fast.rows(records), strict=True):
            if row is None:
                self._take_one(self.stream_name, record, line=line)
            elif isinstance(row, Refusal):
                decoded = decode_json(record)
                self._load.add(
                    destination,
                    cells=None,
                    refusal=row,
                    record=bytes(record),
                    fingerprint=self._identity_of(decoded),
                    key_text=self._plan.key_text(decoded),
                )
            else:
                self._load.add(destination, cells=row, refusal=None, record=bytes(record))
        self.tally_record_read(len(records))
        self.record_counter_metric.increment(len(records))

    def setup(self) -> None:
        """Begin the stream; what an older schema of it has gathered goes first."""
        super().setup()
        self._load.begin_stream(self._plan.destination)

    @property
    def max_size(self) -> int:
        """Beyond any count: units are closed by rows and bytes, and never block reading for their job."""
        return sys.maxsize

    def get_batch_processing_timer(self) -> metrics.Timer:
        """Return a timer that logs nothing."""
        return _SilentTimer(metrics.Metric.BATCH_PROCESSING_TIME)

    def get_validator(self) -> RecordValidator | None:
        """Return the compiled check of the stream's schema."""
        return RecordValidator(self.schema, stream=self.stream_name) if self.validate_schema else None

    def _validate_and_parse(self, record: dict[str, Any]) -> dict[str, Any]:
        """Check the record; dates stay text, since the field's type decides how they are converted.

        A record that breaks its schema ends with an outcome like any other, it does not end the run.
        """
        self._violation = None
        if self._validator is not None:
            try:
                self._validator.validate(record)
            except InvalidRecord as error:
                self._violation = error.error_message
        return record

    def take_mapped(self, record: dict[str, Any], message: dict[str, Any]) -> None:
        """Take one record after stream maps; ``message`` brought it."""
        context = self._get_context(record)
        if self.include_sdc_metadata_properties:
            self._add_sdc_metadata_to_record(record, message, context)
        else:
            self._remove_sdc_metadata_from_record(record)
        self._validate_and_parse(record)
        record = self.preprocess_record(record, context)
        self.tally_record_read()
        self.process_record(record, context)
        self.record_counter_metric.increment()

    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:  # noqa: ARG002
        """Hand one record on."""
        refusal = self._missing_key(record)
        if refusal is None and self._violation:
            refusal = Refusal("INVALID_RECORD", self._violation)
        row = refusal or self._plan.row(record)
        self._add(record, row, key_text=self._plan.key_text(record) if isinstance(row, Refusal) else None)

    def _missing_key(self, record: dict[str, Any]) -> Refusal | None:
        """Return why a record without one of its key properties is refused; the SDK would end the run."""
        names = [name for name in self.key_properties if name not in record]
        if not names:
            return None
        refusal = self._plan.missing_properties(names, line=self._target.line)
        self._number_without_key += 1
        if self._number_without_key <= LOGGED_WITHOUT_KEY:
            is_last = self._number_without_key == LOGGED_WITHOUT_KEY
            more = "; further ones are in the outcome file only" if is_last else ""
            fields = {"stream_name": self.stream_name}
            self.logger.warning("stream %r: %s, so it fails%s", self.stream_name, refusal.message, more, extra=fields)
        return refusal

    def refuse(self, refusal: Refusal) -> None:
        """Hand on a record that no stream map could be applied to."""
        incoming = self._target.incoming_record
        self._add(incoming, refusal, key_text=self._plan.key_text(self._source.unmapped(incoming)))

    def _add(self, record: dict[str, Any], row: list[str] | Refusal, *, key_text: str | None) -> None:
        cells, refusal = (None, row) if isinstance(row, Refusal) else (row, None)
        incoming = self._target.incoming_record
        is_own_identity = cells is not None and not self._is_mapped and not self.include_sdc_metadata_properties
        fingerprint = None if is_own_identity else self._identity_of(incoming)
        if self._source.is_retry:
            fingerprint = id_as_fingerprint(self._target.incoming_id)
        self._load.add(
            self._plan.destination,
            cells=cells,
            refusal=refusal,
            record=_encode(record if self._source.is_shared else incoming),
            fingerprint=fingerprint,
            key_text=key_text,
        )

    def _after_process_record(self, context: dict[str, Any]) -> None:
        """Nothing: the SDK's own logs a line for each record."""

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002
        """Hand what there is to Salesforce: the input has ended, or five minutes have passed."""
        self._load.close_stream(self.stream_name)
