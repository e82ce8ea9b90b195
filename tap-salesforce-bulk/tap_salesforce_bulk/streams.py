"""`SObjectStream`: one Salesforce object as a Singer stream."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache, partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import ConnectionFailed, LoginError, QuotaError, SalesforceError, ServerBusy
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import RemoveRecordTransform

from tap_salesforce_bulk.discovery.described_stream import DescribedStream
from tap_salesforce_bulk.errors import UNFORESEEN, Unforeseen
from tap_salesforce_bulk.output.batch_files import BatchFiles
from tap_salesforce_bulk.output.record_lines import LineWriter, RecordLines, RecordStruct
from tap_salesforce_bulk.output.stream_maps import change_nothing, map_errors
from tap_salesforce_bulk.query.job_prefetcher import JobPrefetcher
from tap_salesforce_bulk.query.query_plan import QueryPlan
from tap_salesforce_bulk.query.soql import Query
from tap_salesforce_bulk.query.stream_reader import StreamReader

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from datetime import datetime

    from salesforce_bulk_client import SalesforceClient, SObjectDescribe
    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import StreamMap
    from singer_sdk.metrics import Counter
    from singer_sdk.singerlib import RecordMessage

    from tap_salesforce_bulk.output.chunks import Chunk

RESUMABLE = (ConnectionFailed, ServerBusy, LoginError, QuotaError)
"""Errors after which a later run resumes the jobs that the state names."""


class SObjectStream(DescribedStream):
    """One object: read by query jobs, resumed to the page.

    State is written between pages. Which private hooks of the SDK's are overridden for that, and for speed, and why,
    is in docs/decisions/0003-tap-state-and-sdk-hooks.md.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # records hold exactly the selected fields, as their types

    def __init__(
        self,
        *,
        tap: Tap,
        name: str,
        client: SalesforceClient,
        describe: SObjectDescribe,
        catalog_entry: Mapping[str, Any],
        soql_filter: str | None,
    ) -> None:
        super().__init__(tap=tap, name=name, describe=describe, catalog_entry=catalog_entry)
        self._client = client
        self._soql_filter = soql_filter
        self._reader: StreamReader | None = None
        self.prefetcher = JobPrefetcher()
        """Creates jobs of this and the next streams when the server has room for them."""
        self.failure: SalesforceError | None = None
        """Why the stream ended early; kept here, so that the others are read all the same."""

    # Reading

    def query_plan(self) -> QueryPlan:
        """Return what this run reads of the object; nothing is created on the server.

        Raises: ConfigError if the catalog or the state asks for the impossible; SchemaDrift.
        """
        self.report_drift()
        self.warn_of_rows_not_seen()
        # A dry run (--test) stops after so many records; one more shows it that there are more.
        limit = None if self.ABORT_AT_RECORD_COUNT is None else self.ABORT_AT_RECORD_COUNT + 1
        query = Query(
            sobject=self._describe.name,
            columns=tuple(field.name for field in self.selected_fields),
            include_deleted=self.config["include_deleted"],
            replication_key=self.replication_field,
            condition=self._soql_filter,
            limit=limit,
        )
        return QueryPlan(self._client, query, settings=self.config, state=self.stream_state)

    def open_reader(self) -> StreamReader:
        """Return the stream's one reader, created when it is first needed: at its turn, or to create jobs ahead.

        Raises: the error of a stream that has failed; what `query_plan` raises.
        """
        if self.failure:
            raise self.failure
        if self._reader is None:
            self._reader = StreamReader(
                self._client,
                self.query_plan(),
                fields=self.selected_fields,
                settings=self.config,
                state=self.stream_state,
                write_state=lambda: self._tap.state_writer.write_state(self.tap_state),
                prefetch_jobs=self.prefetcher.fill,
            )
            self.prefetcher.add(self._reader)
        return self._reader

    @property
    def number_of_records(self) -> int:
        """Records that this run has read so far."""
        return self._reader.number_of_records if self._reader else 0

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
        if self._reader is None:
            return
        if isinstance(error, RESUMABLE):
            self._reader.stop()
        else:
            self._reader.abandon()

    # The SDK's hooks

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Not used: `_sync_records` and `_sync_batches` give each page of the reader to what writes it."""
        raise NotImplementedError

    def get_replication_key_signpost(self, context: Context | None = None) -> datetime | None:  # noqa: ARG002
        """Return nothing: the query itself ends at the server's clock."""
        return None

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield a message per stream map.

        Raises: StreamMapFailed.
        """
        with map_errors():
            yield from super()._generate_record_messages(record)

    def _sync_records(  # type: ignore[override]  # the SDK only iterates what it is given
        self,
        context: Context | None = None,  # noqa: ARG002
        *,
        write_messages: bool = True,  # noqa: ARG002
    ) -> Iterable[Record]:
        """Write all records, and a STATE after those of each page; return nothing."""
        with self.get_record_counter() as counter, self.get_sync_timer(), self._keeping_failure():
            reader = self.open_reader()
            writer = self._tap.message_writer
            is_dry_run = self.ABORT_AT_RECORD_COUNT is not None
            if is_dry_run or not change_nothing(self.stream_maps) or not isinstance(writer, LineWriter):
                reader.read(partial(self._write_one_by_one, counter=counter))
            else:
                lines = RecordLines(self.stream_maps[0].stream_alias, names=reader.names)
                reader.read(partial(_write_lines, writer, lines, counter=counter))
        self._end_sync()
        return ()

    def _write_one_by_one(self, chunks: Iterable[Chunk], *, counter: Counter) -> None:
        """Write records the SDK's way, through the stream maps."""
        records = chain.from_iterable(chunk.records() for chunk in chunks)
        for index, record in enumerate(records, self.number_of_records):
            self._check_max_record_limit(current_record_index=index)
            self._write_record_message(record)
            counter.increment()

    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:  # noqa: ARG002
        """Write all records to files, a BATCH for each, and a STATE after those of each page."""
        files = {
            stream_map: BatchFiles(
                batch_config, tap=self.tap_name, stream=stream_map.stream_alias, schema=stream_map.transformed_schema
            )
            for stream_map in self.stream_maps
            if not isinstance(stream_map, RemoveRecordTransform)
        }
        is_plain = change_nothing(self.stream_maps) and batch_config.encoding.format == "jsonl"
        struct_of = cache(RecordStruct)

        def records_of(chunk: Chunk) -> Iterable[Any]:
            return struct_of(chunk.names).of(chunk) if is_plain else chunk.records()

        def mapped(records: list[Any], stream_map: StreamMap) -> list[Any]:
            if is_plain:
                return records
            with map_errors():
                return [new for old in records if (new := stream_map.transform(old)) is not None]

        with (
            self.get_record_counter() as counter,
            self.get_batch_counter() as batch_counter,
            self.get_sync_timer(),
            self._keeping_failure(),
        ):

            def write(chunks: Iterable[Chunk]) -> None:
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

            self.open_reader().read(write)
        self._end_sync()

    def _end_sync(self) -> None:
        self._finalize_state(self.stream_state)
        self._write_state_message()


def _write_lines(writer: LineWriter, lines: RecordLines, chunks: Iterable[Chunk], *, counter: Counter) -> None:
    """Write whole chunks: the fast path, where the SDK's would only pass each record on."""
    for chunk in chunks:
        writer.write_lines(lines.of(chunk))
        counter.increment(chunk.number_of_rows)
