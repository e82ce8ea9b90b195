"""`TapSalesforceBulk`: the plugin; it checks settings, creates the streams, and reads them one after another."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import click
from salesforce_bulk_client import (
    ConfigError,
    ConnectionConfig,
    LoginError,
    QuotaError,
    SalesforceClient,
    SalesforceError,
    telemetry,
)
from salesforce_bulk_plugin.command import RESULT
from salesforce_bulk_plugin.plugin import SalesforcePlugin
from singer_sdk import Tap
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib import Catalog

from tap_salesforce_bulk.command import TapCommand
from tap_salesforce_bulk.discovery.objects import ObjectDiscovery, exact_names, soql_filter
from tap_salesforce_bulk.errors import StreamMapFailed, StreamsFailed
from tap_salesforce_bulk.input_files import checked_catalog_entries, usable_state
from tap_salesforce_bulk.output.batch_files import check_batch_packages
from tap_salesforce_bulk.output.record_lines import LineWriter
from tap_salesforce_bulk.query.job_prefetcher import JobPrefetcher
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA, start_date
from tap_salesforce_bulk.signals import stop
from tap_salesforce_bulk.streams import SObjectStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType

    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum


class TapSalesforceBulk(SalesforcePlugin, Tap):
    """Reads Salesforce objects by Bulk API 2.0 query jobs: incremental, typed, resumable to the page."""

    name = "tap-salesforce-bulk"
    package_name = "singer-salesforce-bulk"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    command_class = TapCommand
    command_help = "Read Salesforce objects by Bulk API 2.0 query jobs, as Singer messages on stdout."
    dynamic_catalog = True
    message_writer_class = LineWriter
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, **kwargs: Any) -> None:
        self.failures: dict[str, SalesforceError] = {}
        """Why a stream was not read to its end, or not at all, by name."""
        self._begun: set[str] = set()
        """Streams whose turn has come."""
        entries = checked_catalog_entries(kwargs.get("catalog"))
        self._entries = {entry.get("tap_stream_id"): entry for entry in entries}
        kwargs["state"] = usable_state(kwargs.get("state"))
        super().__init__(**kwargs)

    @cached_property
    def client(self) -> SalesforceClient:
        """The one client of all streams."""
        return SalesforceClient(ConnectionConfig.from_settings(self.config))

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings before anything is sent.

        Raises: ConfigError, with the settings' names and never their values: any of them may hold a secret.
        """
        warnings = super()._validate_config(raise_errors=raise_errors)
        check_batch_packages(self.config.get("batch_config") or {})
        start_date(self.config)
        return warnings

    def setup_mapper(self) -> None:
        """Prepare the stream maps, with a catalog that matches the objects as they are now.

        A stream whose map is invalid is not read: its error is kept in `failures`.
        """
        streams = self.streams  # each brings its entry of the catalog up to date
        PluginBase.setup_mapper(self)
        logging.getLogger("singer_sdk.mapper").setLevel(logging.INFO)  # at DEBUG it logs values
        for entry in self.catalog.streams:
            try:
                self.mapper.register_raw_streams_from_catalog(Catalog([(entry.tap_stream_id, entry)]))
            except Exception as error:  # noqa: BLE001  # the SDK raises errors of any kind for an invalid map
                stream = streams.pop(entry.tap_stream_id, None)
                if stream and stream.selected:
                    self.failures[stream.name] = StreamMapFailed.from_setup(error)

    # Discovery

    def discover_streams(self) -> list[Stream]:
        """Return a stream for each object to discover, or for each that the input catalog selects.

        An object that cannot be described does not stop the others: its error is logged, and kept in `failures`.

        Raises: ConfigError if ``streams_to_discover`` matches nothing; LoginError; ConnectionFailed.
        """
        discovery = ObjectDiscovery(self.client, self.config, catalog_names=self._selected_in_catalog())
        described = discovery.describe_all()
        self.failures |= discovery.failures
        return [
            SObjectStream(
                tap=self,
                name=name,
                client=self.client,
                describe=describe,
                catalog_entry=self._catalog_entry(name),
                soql_filter=soql_filter(self.config, name),
            )
            for name, describe in described.items()
        ]

    def _selected_in_catalog(self) -> list[str] | None:
        if self.input_catalog is None:
            return None
        streams = self.input_catalog.streams
        return [entry.tap_stream_id for entry in streams if entry.metadata.resolve_selection().get((), True)]

    def _catalog_entry(self, stream: str) -> Mapping[str, Any]:
        """Return the input catalog's entry as it was given: the SDK drops keys that it does not know."""
        known = self.input_catalog and self.input_catalog.get_stream(stream)
        return self._entries.get(stream) or (known.to_dict() if known else {})

    def run_discovery(self) -> str:
        """Write the catalog to stdout.

        Raises: StreamsFailed, after that, for objects that ``streams_to_discover`` names without a glob. What a glob
            matches is only warned about: an org lists objects that it always refuses to describe.
        """
        catalog = super().run_discovery()
        exact = {name.lower() for name in exact_names(self.config)}
        self._raise_failures({name: error for name, error in self.failures.items() if name.lower() in exact})
        return catalog

    # Reading

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK, whose first error stops all streams
        """Read all selected streams; one that fails does not stop the others.

        Raises: StreamsFailed at the end; at once LoginError and QuotaError, which would stop the others too.
        """
        if context := click.get_current_context(silent=True):
            context.meta[RESULT] = self._log_result
        with self.client:
            self._reset_state_progress_markers()
            if self.state:
                self.state_writer.write_state(self.state)
            selected = [each for each in self.streams.values() if isinstance(each, SObjectStream) and each.selected]
            open_readers = [stream.open_reader for stream in selected]
            prefetcher = JobPrefetcher(open_readers, max_jobs=self.config["max_concurrent_jobs"])
            for stream in selected:
                stream.prefetcher = prefetcher
            for stream in selected:
                self._begun.add(stream.name)
                with telemetry.span("salesforce.bulk.stream", sobject=stream.name) as note:
                    stream.sync()
                    if stream.failure:
                        note(error_type=type(stream.failure).__name__)
                stream.finalize_state_progress_markers()
                self._note_failures([stream])
        self._note_missing_in_catalog()
        self._raise_failures(self.failures)

    def _log_result(self) -> None:
        """Log the result, last of all: how many records of each stream were read, and which streams failed."""
        selected = [each for each in self.streams.values() if isinstance(each, SObjectStream) and each.selected]
        numbers = {each.name: each.number_of_records for each in selected if each.name in self._begun}
        names = dict.fromkeys([*(each.name for each in selected), *self.failures])
        for name in names:
            number, failure = numbers.get(name), self.failures.get(name)
            parts = ["not read" if number is None else f"{number} records"]
            if failure:
                parts.append(f"failed ({type(failure).__name__})")
            fields = {"stream_name": name, "records": number}
            self.logger.info("%s: %s", name, ", ".join(parts), extra=fields)

    def run_sync_dry_run(  # type: ignore[misc]  # final in the SDK, which does not know of kept failures
        self, dry_run_record_limit: int | None = 1, streams: Iterable[Stream] | None = None
    ) -> bool:
        """Read a few records of each stream (``--test``).

        Raises: StreamsFailed, LoginError, QuotaError.
        """
        streams = list(self.streams.values() if streams is None else streams)
        with self.client:
            super().run_sync_dry_run(dry_run_record_limit, streams)
        self._note_failures(streams)
        self._raise_failures(self.failures)
        return True

    def _note_missing_in_catalog(self) -> None:
        """Note what ``streams_to_discover`` names and the input catalog lacks: its discovery may have failed."""
        if self.input_catalog is None:
            return
        known = {entry.tap_stream_id.lower() for entry in self.input_catalog.streams}
        for name in exact_names(self.config):
            if name.lower() not in known:
                self.failures[name] = ConfigError(
                    "streams_to_discover names it, but the catalog does not have it: discover again"
                )

    def _note_failures(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            if not isinstance(stream, SObjectStream) or stream.failure is None:
                continue
            if isinstance(stream.failure, (LoginError, QuotaError)):
                raise stream.failure
            self.failures[stream.name] = stream.failure
            fields = {"stream_name": stream.name, "error_type": type(stream.failure).__name__}
            self.logger.info("%s failed: %s", stream.name, stream.failure, extra=fields)

    def _raise_failures(self, failures: Mapping[str, SalesforceError]) -> None:
        if failures:
            raise StreamsFailed(failures, number_of_streams=len(self.streams.keys() | self.failures.keys()))

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End with the signal's exit code: the SDK would end with 0, as if all had been read.

        No STATE is written here: each page's was, and a signal may come in the middle of another line.
        """
        self.logger.info("Stopped by signal %d", signum)
        stop(128 + signum)
