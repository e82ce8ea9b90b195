"""`SObjectStream`: one Salesforce object as a Singer stream."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConnectionFailed, LoginError, QuotaError, SalesforceError, ServerBusy
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import RemoveRecordTransform

from tap_salesforce_bulk.batches import BatchFiles
from tap_salesforce_bulk.catalog import DescribedStream
from tap_salesforce_bulk.errors import StreamMapFailed, Unforeseen
from tap_salesforce_bulk.lines import LineWriter, RecordLines, RecordStruct, changes_nothing
from tap_salesforce_bulk.reading import Reading
from tap_salesforce_bulk.soql import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from datetime import datetime

    from salesforce_bulk_client import SObjectDescribe
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import RecordMessage

    from tap_salesforce_bulk.records import Chunk
    from tap_salesforce_bulk.tap import TapSalesforceBulk

GOES_ON_LATER = (ConnectionFailed, ServerBusy, LoginError, QuotaError)
"""Errors after which a later run goes on with the jobs that the state names."""

UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What an answer of a form that nobody has thought of would raise. The system's errors (OSError) end the run."""


class SObjectStream(DescribedStream):
    """One object: read by query jobs, resumed to the page.

    State is written between pages. Which private hooks of the SDK's are overridden for that, and for speed, and why,
    is in docs/decisions/0003-tap-state-and-sdk-hooks.md.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # records hold exactly the selected fields, as their types

    def __init__(self, *, tap: TapSalesforceBulk, name: str, describe: SObjectDescribe) -> None:
        super().__init__(tap=tap, name=name, describe=describe)
        self._client = tap.client
        self._condition = tap.soql_filter(name)
        self.failure: SalesforceError | None = None
        """Why the stream ended early; kept here, so that the others are read all the same."""
        self._is_unreadable = False
        self.make_jobs_ahead: Callable[[], None] = lambda: None
        """Called when the server may have room for more jobs."""

    # What the SDK asks for

    def compare_start_date(self, value: str, start_date_value: str) -> str:  # noqa: ARG002
        """Return the bookmark: ``start_date`` is for streams that have none."""
        return value

    def get_replication_key_signpost(self, context: Context | None = None) -> datetime | None:  # noqa: ARG002
        """Return nothing: the query itself ends at the server's clock."""
        return None

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Do nothing: state moves by pages and windows, see `Reading`."""

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002
        """Yield all records; an error of Salesforce's ends the stream, and is kept as its `failure`."""
        with self._keeping_failure():
            for chunks in self.reading.pages():
                for chunk in chunks:
                    yield from chunk.records()

    def _process_record(self, record: Record, child_context: Any = None, partition_context: Any = None) -> None:
        """Do nothing: the SDK would evaluate the filter a second time here, for child streams."""

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield a message per stream map.

        Raises: StreamMapFailed.
        """
        with _map_errors():
            yield from super()._generate_record_messages(record)

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        """Write all records: by whole chunks, where the SDK's road would only pass each one on."""
        writer = self._tap.message_writer
        is_dry_run = self.ABORT_AT_RECORD_COUNT is not None
        if is_dry_run or not changes_nothing(self.stream_maps) or not isinstance(writer, LineWriter):
            with self._keeping_failure():
                yield from super()._sync_records(context, write_messages=write_messages)
            if self.failure:
                self._end_sync()
            return
        lines = None
        with self.get_record_counter() as counter, self.get_sync_timer(), self._keeping_failure():
            for chunks in self.reading.pages():
                for chunk in chunks:
                    lines = lines or RecordLines(self.stream_maps[0].stream_alias, names=chunk.names)
                    writer.write_lines(lines.of(chunk))
                    counter.increment(chunk.number_of_rows)
        self._end_sync()

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:  # noqa: ARG002
        """Write all records to files, a BATCH for each, and a STATE after those of each page."""
        files = {
            stream_map: BatchFiles(
                batch_config, tap=self.tap_name, stream=stream_map.stream_alias, schema=stream_map.transformed_schema
            )
            for stream_map in self.stream_maps
            if not isinstance(stream_map, RemoveRecordTransform)
        }
        is_plain = changes_nothing(self.stream_maps) and batch_config.encoding.format == "jsonl"
        struct_of = cache(RecordStruct)

        def records_of(chunk: Chunk) -> Iterable[Any]:
            return struct_of(chunk.names).of(chunk) if is_plain else chunk.records()

        def mapped(records: list[Any], stream_map: StreamMap) -> list[Any]:
            if is_plain:
                return records
            with _map_errors():
                return [new for old in records if (new := stream_map.transform(old)) is not None]

        with (
            self.get_record_counter() as counter,
            self.get_batch_counter() as batch_counter,
            self.get_sync_timer(),
            self._keeping_failure(),
        ):
            for chunks in self.reading.pages():
                records = chain.from_iterable(map(records_of, chunks))
                while some := list(islice(records, batch_config.batch_size)):
                    counter.increment(len(some))
                    for stream_map, its_files in files.items():
                        if rows := mapped(some, stream_map):
                            manifest = [its_files.write(rows)]
                            batch_counter.increment()
                            self._tap.write_message(
                                SDKBatchMessage(stream_map.stream_alias, batch_config.encoding, manifest)
                            )
        self._end_sync()

    def _end_sync(self) -> None:
        self._finalize_state(self.stream_state)
        self._write_state_message()

    @contextmanager
    def _keeping_failure(self) -> Iterator[None]:
        """Keep an error as this stream's `failure`: the others are read all the same."""
        try:
            yield
        except SalesforceError as error:
            self._fail(error)
        except UNFORESEEN as error:
            self._fail(Unforeseen.from_error(error))

    def _fail(self, error: SalesforceError) -> None:
        self.failure = error
        self._is_unreadable = True
        if "reading" in self.__dict__ and not isinstance(error, GOES_ON_LATER):
            self.reading.give_up()

    @property
    def number_of_records(self) -> int:
        """Records that this run has read so far."""
        return self.reading.number_of_records if "reading" in self.__dict__ else 0

    # Jobs ahead

    @property
    def number_of_running_jobs(self) -> int:
        """How many of its query jobs may be running on the server."""
        extraction = self.reading.extraction if "reading" in self.__dict__ else None
        return extraction.number_of_running_jobs if extraction else 0

    def make_next_job(self) -> bool:
        """Make a query job ahead; False when there is none to make. What goes wrong is told when its turn comes.

        Raises: QuotaError.
        """
        if self._is_unreadable:
            return False
        try:
            extraction = self.reading.extraction
            return extraction.make_next_job() if extraction else False
        except QuotaError:
            raise
        except (SalesforceError, *UNFORESEEN):
            self._is_unreadable = True
            return False

    @cached_property
    def reading(self) -> Reading:
        """How this run reads the stream.

        Raises: ConfigError if the catalog or the state asks for what cannot be.
        """
        self.tell_drift()
        self.warn_of_rows_not_seen()
        fields = self.selected_fields()
        # A dry run (--test) stops after so many records; one more tells it that there are more.
        limit = None if self.ABORT_AT_RECORD_COUNT is None else self.ABORT_AT_RECORD_COUNT + 1
        query = Query(
            sobject=self._describe.name,
            columns=tuple(field.name for field in fields),
            include_deleted=self.config["include_deleted"],
            cursor=self.cursor,
            condition=self._condition,
            limit=limit,
        )
        return Reading(
            self._client,
            query,
            fields=fields,
            settings=self.config,
            state=self.stream_state,
            write_state=lambda: self._tap.state_writer.write_state(self.tap_state),
            make_jobs_ahead=self.make_jobs_ahead,
        )


@contextmanager
def _map_errors() -> Iterator[None]:
    """Raise what a stream map raises, of whatever kind it is, as one error without a record's values."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # an expression is a program of the user's
        raise StreamMapFailed.from_record(error) from None
