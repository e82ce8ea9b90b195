"""`TargetSalesforceBulk`: the plugin. Settings in, records to the sinks, STATE out through the gate."""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, ClassVar

import click
from salesforce_bulk_client import (
    ConfigError,
    ConnectionConfig,
    NotFound,
    SalesforceClient,
    SObjectDescribe,
    describe,
    describe_global,
)
from salesforce_bulk_client.names import quoted
from salesforce_bulk_plugin.command import RESULT
from salesforce_bulk_plugin.plugin import SalesforcePlugin
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.target_base import Target

from target_salesforce_bulk.command import LAST_STEP, TargetCommand
from target_salesforce_bulk.dry_run import DryRun
from target_salesforce_bulk.mapping.plan import LOOKUP_UPDATE, Refusal
from target_salesforce_bulk.mapping.sources import Source
from target_salesforce_bulk.mapping.stream_settings import unmatched
from target_salesforce_bulk.messages.batch_files import records_of
from target_salesforce_bulk.messages.reader import MessageReader
from target_salesforce_bulk.messages.record_chunks import RecordChunks, Take
from target_salesforce_bulk.messages.state_gate import StateGate
from target_salesforce_bulk.outstanding import OUTSTANDING
from target_salesforce_bulk.run import Run
from target_salesforce_bulk.settings import CONFIG_JSONSCHEMA, LoadSettings
from target_salesforce_bulk.sinks import SObjectSink
from target_salesforce_bulk.stopping import Stopping

if TYPE_CHECKING:
    from types import FrameType

    from msgspec import Raw
    from singer_sdk.helpers.capabilities import CapabilitiesEnum


class TargetSalesforceBulk(SalesforcePlugin, Target):
    """Loads records into Salesforce through Bulk API 2.0, and reports one outcome per record."""

    name = "target-salesforce-bulk"
    package_name = "singer-salesforce-bulk"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    command_class = TargetCommand
    command_help = "Load Singer messages from stdin into Salesforce by Bulk API 2.0 ingest jobs."
    default_sink_class = SObjectSink
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.VALIDATE_RECORDS,
    ]

    def __init__(self, **kwargs: Any) -> None:
        self._stopping = Stopping()
        self._gate = StateGate(_write_line)
        self._load: Run | DryRun | None = None
        self.incoming_record: dict[str, Any] = {}
        """The record that is being processed, as it came in."""
        self.incoming_id = 0
        """Its id in the list of outstanding records, if it is retried."""
        self._schema_message: dict[str, Any] = {}
        """The SCHEMA that is being processed, as it came in."""
        self._told_versions: set[str] = set()
        self._streams: set[str] = set()
        """Names of the streams that came, after stream maps."""
        self._describes: dict[str, SObjectDescribe] = {}
        chunks = RecordChunks(self._taker_for)
        self._reader = MessageReader(self._stopping, guard=self._abandoning, chunks=chunks)
        super().__init__(message_reader=self._reader, **kwargs)
        chunks.max_wait_s = self.config["batch_wait_limit_seconds"]
        self._MAX_RECORD_AGE_IN_MINUTES = self.config["batch_wait_limit_seconds"] / 60
        self.max_parallelism = 1  # sinks only hand rows on: the SDK's threads would do that all at once

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the SDK's settings but ``load_method``: ``operation`` says what to do with records."""
        super().append_builtin_config(config_jsonschema)
        config_jsonschema["properties"].pop("load_method", None)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings before anything is sent.

        Raises: ConfigError, with the settings' names and never their values: any of them may hold a secret.
        """
        warnings = super()._validate_config(raise_errors=raise_errors)
        if raise_errors:
            ConnectionConfig.from_settings(self.config)
        return warnings

    # What sinks need

    @property
    def load(self) -> Run | DryRun:
        """The run; begun with the first stream, so that an empty input needs no login."""
        if self._load is None:
            with self._stopping.interruptible():
                client = SalesforceClient(ConnectionConfig.from_settings(self.config))
                settings = LoadSettings.from_config(self.config)
                if self.config["dry_run"]:
                    self._load = DryRun(client, settings=settings)
                else:
                    self._load = Run(client, settings=settings, gate=self._gate, stopping=self._stopping)
                self._load.start()
        return self._load

    def describe(self, name: str) -> SObjectDescribe:
        """Return an object's describe answer, requested once.

        Raises: ConfigError if there is none, with the names that come near.
        """
        if name not in self._describes:
            with self._stopping.interruptible():
                try:
                    self._describes[name] = describe(self.load.client, name)
                except NotFound:
                    raise ConfigError(self._unknown_object(name)) from None
        return self._describes[name]

    def _unknown_object(self, name: str) -> str:
        names = {summary.name.lower(): summary.name for summary in describe_global(self.load.client)}
        near = [names[match] for match in difflib.get_close_matches(name.lower(), names, n=3)]
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        return (
            f'Salesforce has no object {quoted(name)}, or your user may not see it{meant} (set "object" in "mappings")'
        )

    # The run

    def _taker_for(self, stream: str) -> Take | None:
        """Return the sink of a stream if it takes raw RECORDs: no stream map changes them."""
        maps = self.mapper.stream_maps.get(stream, [])
        if [type(stream_map) for stream_map in maps] != [SameRecordTransform] or self.config.get("flattening_enabled"):
            return None
        sink = self.get_sink(maps[0].stream_alias)
        if not isinstance(sink, SObjectSink) or not sink.takes_chunks:
            return None

        def take(records: list[Raw], lines: list[int]) -> None:
            sink.take(records, lines)
            self._handle_max_record_age()

        return take

    @property
    def line(self) -> int:
        """Number of the line of the input that is being processed, from 1."""
        return self._reader.line

    def take_record(self, stream: str, record: Raw, *, line: int) -> None:
        """Take one RECORD on the SDK's road."""
        message = self._reader.record_message(stream, record, line=line)
        self._process_record_message(message)

    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Keep the schema as it came in: the failed file is read with the same stream maps again.

        None applies to lookups that a second pass could not fill.
        """
        self._schema_message = message_dict
        schema = message_dict.get("schema")
        is_update = isinstance(schema, dict) and LOOKUP_UPDATE in schema
        if is_update or message_dict.get(OUTSTANDING, {}).get("is_mapped"):
            self._process_mapped_schema(message_dict)
        else:
            super()._process_schema_message(message_dict)

    def _process_mapped_schema(self, message: dict[str, Any]) -> None:
        """Begin a stream whose records are as the target has made them: stream maps do not apply to them."""
        stream, schema, key_properties = message["stream"], message["schema"], message.get("key_properties")
        self.mapper.stream_maps[stream] = [SameRecordTransform(stream, schema, key_properties, flattening_options=None)]
        self.get_sink(stream, schema=schema, key_properties=key_properties)

    def source_of(self, stream: str) -> Source:
        """Return what the sink of a (mapped) stream takes records from: the stream whose SCHEMA is being processed."""
        self._streams.add(stream)
        message = self._schema_message
        maps = self.mapper.stream_maps[message["stream"]]
        stream_map = next(each for each in maps if each.stream_alias == stream)
        is_shared = len(maps) > 1
        is_plain = isinstance(stream_map, SameRecordTransform)
        options = self.mapper.flattening_options or None
        separator = options.separator if options and options.enabled else None
        definitions = {} if is_plain else self._stream_map_settings(message["stream"], alias=stream)
        configured = self.config.get("stream_map_config") if definitions else None
        return Source(
            stream=stream if is_shared else message["stream"],
            schema=stream_map.transformed_schema if is_shared else message["schema"],
            key_properties=(stream_map.transformed_key_properties if is_shared else message.get("key_properties"))
            or (),
            properties=tuple(message["schema"]["properties"]),
            is_mapped=not is_plain or separator is not None,
            stream_map=next(iter(definitions.values())) if len(definitions) == 1 else {},
            settings=[definitions, configured, separator, self.config.get("add_record_metadata")],
            flattening_separator=separator,
            is_shared=is_shared or bool(message.get(OUTSTANDING, {}).get("is_mapped")),
            is_retry=OUTSTANDING in message,
        )

    def _stream_map_settings(self, stream: str, *, alias: str) -> dict[str, dict[str, Any]]:
        """Return the entries of the setting ``stream_maps`` that may make ``alias`` of a stream, by their names."""
        found = {
            name: entry
            for name, entry in (self.config.get("stream_maps") or {}).items()
            if isinstance(entry, dict) and fnmatch(stream, entry.get("__source__", name))
        }
        named = {name: entry for name, entry in found.items() if alias in {name, entry.get("__alias__")}}
        return named or found

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Apply stream maps and hand the record to its sinks; an expression that fails refuses the record.

        The SDK's own would end the run with the expression's error, which can show the record's values.
        """
        self._assert_line_requires(message_dict, requires={"stream", "record"})
        stream = message_dict["stream"]
        if stream not in self.mapper.stream_maps:
            self._assert_sink_exists(stream)
        self.incoming_record, self.incoming_id = message_dict["record"], message_dict.get(OUTSTANDING, 0)
        for stream_map in self.mapper.stream_maps[stream]:
            self._assert_sink_exists(stream_map.stream_alias)
            sink = self.get_sink(stream_map.stream_alias)
            assert isinstance(sink, SObjectSink)
            try:
                record = stream_map.transform(dict(self.incoming_record))
            except Exception as error:  # noqa: BLE001  whatever an expression of the user's raises
                cause = type(error.__cause__ or error).__name__
                sink.refuse(Refusal("STREAM_MAP_FAILED", f"a stream map or filter failed with {cause}"))
                continue
            if record is not None:
                sink.take_mapped(record, message_dict)
        self._handle_max_record_age()

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Hold STATE until the outcomes of everything before it are on disk; the SDK would write it by itself."""
        self._assert_line_requires(message_dict, requires={"value"})
        if isinstance(self._load, Run):
            self._load.add_state(message_dict["value"])
        elif not self.config["dry_run"]:
            self._gate.hold(message_dict["value"])

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        """Take the records of a BATCH like those of RECORDs; the SDK would leave out checks and stream maps."""
        self._assert_line_requires(message_dict, requires={"stream", "encoding", "manifest"})
        storage = (self.config.get("batch_config") or {}).get("storage") or {}
        for path in message_dict["manifest"]:
            for record in records_of(path, encoding=message_dict["encoding"], storage=storage):
                self._stopping.check()
                self._process_record_message({**message_dict, "record": record})

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Say once a stream that rows which are not in the input stay in the org."""
        stream = message_dict.get("stream", "")
        if stream not in self._told_versions:
            self._told_versions.add(stream)
            fields = {"stream_name": stream}
            self.logger.warning(
                "stream %r: ACTIVATE_VERSION is ignored, nothing is deleted for it", stream, extra=fields
            )

    def process_endofpipe(self) -> None:
        """Load what is left, and end the run.

        Raises: RecordsFailed and RecordsUnprocessed, which decide the exit code.
        """
        error = None
        with self._abandoning():
            if self._load:
                self._load.end_input()
            super().process_endofpipe()
            if self._load:
                error = self._load.finish()
        self._name_unmatched_mappings()
        self._end()
        if error:
            raise error

    @contextmanager
    def _abandoning(self) -> Iterator[None]:
        """End the run in order when something goes wrong."""
        try:
            yield
        except BaseException as error:
            if self._load:
                self._load.abandon(error)
                self._end()
            raise

    def _name_unmatched_mappings(self) -> None:
        """Log the entries of ``mappings`` that were not used; where streams have none, one may be misspelt."""
        patterns, streams = unmatched(self.config["mappings"], streams=self._streams)
        if patterns:
            what = "mappings has entries that match no stream of this input"
            others = f"; streams without an entry: {quoted(*streams)}" if streams else ""
            level = logging.WARNING if streams else logging.INFO
            self.logger.log(level, "%s: %s%s", what, quoted(*patterns), others)

    def _end(self) -> None:
        """Log the result and let the journal forget the run: as the command's last steps, or now if none runs."""
        if self._load:
            context = click.get_current_context(silent=True)
            if context:
                context.meta[RESULT] = self._load.log_result
                context.meta[LAST_STEP] = self._load.forget
            else:
                self._load.log_result()
                self._load.forget()

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End in order with the signal's exit code: the SDK would drain from within a drain, and end with 0."""
        self._stopping.ask(signum)


def _write_line(line: str) -> None:
    """Write to standard output; JSON is UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(line.encode())
    sys.stdout.buffer.flush()
