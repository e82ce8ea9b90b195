"""`TapSalesforceBulk`: settings, discovery, and reading all streams."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from salesforce_bulk_client import (
    CONNECTION_PROPERTIES,
    ApiError,
    ConfigError,
    ConnectionConfig,
    LoginError,
    NotFound,
    QuotaError,
    SalesforceClient,
    SalesforceError,
    describe,
    describe_global,
    given_settings,
    telemetry,
)
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from tap_salesforce_bulk.command import TapCommand
from tap_salesforce_bulk.errors import StreamsFailed
from tap_salesforce_bulk.jobs_ahead import JobsAhead
from tap_salesforce_bulk.lines import LineWriter
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA, start_date
from tap_salesforce_bulk.stopping import stop
from tap_salesforce_bulk.streams import SObjectStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    import click
    from salesforce_bulk_client import SObjectDescribe
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

DESCRIBES_AT_ONCE = 8
"""Quicker ones make Salesforce answer 406 (`salesforce_bulk_client.errors.BUSY_STATUSES`)."""


class TapSalesforceBulk(Tap):
    """Reads Salesforce objects by Bulk API 2.0 query jobs: incremental, typed, resumable to the page."""

    name = "tap-salesforce-bulk"
    package_name = "singer-salesforce-bulk"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
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
        _check_file("catalog", kwargs.get("catalog"), part="streams", kind=list)
        _check_file("state", kwargs.get("state"), part="bookmarks", kind=dict)
        super().__init__(**kwargs)

    @cached_property
    def client(self) -> SalesforceClient:
        """The one client of all streams."""
        return SalesforceClient(ConnectionConfig.from_settings(self.config))

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings before anything is sent; a null is an absent setting.

        Raises: ConfigError.
        """
        self._config = given_settings(self._config, self.config_jsonschema["properties"])
        try:
            errors = super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            raise ConfigError("; ".join(_without_secret(message) for message in error.errors)) from None
        encoding = self.config.get("batch_config", {}).get("encoding", {})
        if encoding.get("format") == "parquet" and find_spec("pyarrow") is None:
            raise ConfigError('batch_config asks for parquet: install "singer-salesforce-bulk[parquet]"')
        start_date(self.config)
        return errors

    def setup_mapper(self) -> None:
        """Prepare the stream maps, on a catalog that fits the objects as they now are."""
        self.streams  # noqa: B018  # each stream brings its entry of the catalog up to date
        super().setup_mapper()

    # Discovery

    def discover_streams(self) -> list[Stream]:
        """Return a stream for each object to discover, or for each that the input catalog selects.

        An object that cannot be described does not stop the others: it is told, and kept in `failures`.

        Raises: ConfigError if ``streams_to_discover`` asks for what is not there; LoginError; ConnectionFailed.
        """
        if self.input_catalog is None:
            names = self._names_to_discover()
        else:
            streams = self.input_catalog.streams
            names = [entry.tap_stream_id for entry in streams if entry.metadata.resolve_selection().get((), True)]
        if strangers := sorted(self.config["soql_filters"].keys() - set(names)):
            self.logger.warning("soql_filters names %s, but no such stream is read", ", ".join(strangers))
        self.logger.info("Describing %d objects of %s", len(names), self.client.instance_url)  # logs in, once for all
        with ThreadPoolExecutor(DESCRIBES_AT_ONCE) as pool:
            described = list(zip(names, pool.map(self._describe, names), strict=True))
        return [SObjectStream(tap=self, name=name, describe=answer) for name, answer in described if answer]

    def _names_to_discover(self) -> list[str]:
        names = [summary.name for summary in describe_global(self.client) if summary.queryable]
        patterns: list[str] | None = self.config.get("streams_to_discover")
        if patterns is None:
            return names
        for pattern in patterns:
            if not _matching(names, pattern):
                raise ConfigError(
                    f"streams_to_discover names {pattern!r}, but this user can query no such object;"
                    " names are API names, such as Account or Invoice__c"
                )
        return [name for name in names if any(_matching([name], pattern) for pattern in patterns)]

    def _describe(self, name: str) -> SObjectDescribe | None:
        try:
            return describe(self.client, name)
        except QuotaError:
            raise
        except NotFound:
            self.failures[name] = ConfigError("this org has no such object, or the user may not see it")
        except ApiError as error:
            self.failures[name] = error
        # At the end of a sync it is told as an error; a discovery ends well without the object.
        level = logging.WARNING if self.input_catalog is None else logging.INFO
        fields = {"stream_name": name, "error_type": type(self.failures[name]).__name__}
        self.logger.log(level, "%s cannot be described: %s", name, self.failures[name], extra=fields)
        return None

    # Reading

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK, whose first error stops all streams
        """Read all selected streams; one that fails does not stop the others.

        Raises: StreamsFailed at the end; at once LoginError and QuotaError, which would meet the others too.
        """
        with self.client:
            self._reset_state_progress_markers()
            if self.state:
                self.state_writer.write_state(self.state)
            selected = [each for each in self.streams.values() if isinstance(each, SObjectStream) and each.selected]
            jobs_ahead = JobsAhead(selected, max_jobs=self.config["max_concurrent_jobs"])
            for stream in selected:
                stream.make_jobs_ahead = jobs_ahead.fill
                with telemetry.span("salesforce.bulk.stream", sobject=stream.name) as note:
                    stream.sync()
                    if stream.failure:
                        note(error_type=type(stream.failure).__name__)
                stream.finalize_state_progress_markers()
                self._note_failures([stream])
        self._raise_failures()

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
        self._raise_failures()
        return True

    def _note_failures(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            if not isinstance(stream, SObjectStream) or stream.failure is None:
                continue
            if isinstance(stream.failure, (LoginError, QuotaError)):
                raise stream.failure
            self.failures[stream.name] = stream.failure
            fields = {"stream_name": stream.name, "error_type": type(stream.failure).__name__}
            self.logger.info("%s failed: %s", stream.name, stream.failure, extra=fields)

    def _raise_failures(self) -> None:
        if self.failures:
            number_of_streams = len(self.streams.keys() | self.failures.keys())
            raise StreamsFailed(self.failures, number_of_streams=number_of_streams)

    # The command line

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End with the signal's exit code: the SDK would end with 0, as if all had been read.

        No STATE is written here: each page's was, and a signal may come in the middle of another line.
        """
        self.logger.info("Stopped by signal %d", signum)
        stop(128 + signum)

    @classmethod
    def print_about(cls, output_format: str | None = None) -> None:
        """Print the settings with their defaults, which the SDK's plain text leaves out."""
        super().print_about(output_format or "markdown")

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Return the settings that environment variables give.

        Raises: ConfigError for one that does not have its setting's type.
        """
        try:
            return dict(super()._env_var_config)
        except ValueError as error:  # of a number, a list or an object, none of which is a secret
            raise ConfigError(f"a {cls._env_var_prefix}* variable does not have its setting's type: {error}") from None

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with errors told in one line."""
        command = super().get_singer_command()
        return TapCommand(
            name=command.name,
            callback=command.callback,
            params=command.params,
            context_settings=command.context_settings,
            help="Read Salesforce objects by Bulk API 2.0 query jobs, as Singer messages on stdout.",
            logger=cls.logger,
        )


def _check_file(name: str, content: Any, *, part: str, kind: type[list[Any] | dict[str, Any]]) -> None:
    """Check the outer form of a catalog or state that was read from a file.

    Raises: ConfigError.
    """
    if isinstance(content, list):
        raise ConfigError(f"the {name} is a list, but must be an object with {part}")
    if isinstance(content, dict) and part in content:
        inner = content[part]
        entries = inner.values() if isinstance(inner, dict) else inner or ()
        if not isinstance(inner, kind) or not all(isinstance(entry, dict) for entry in entries):
            wanted = "a list" if kind is list else "an object"
            raise ConfigError(f"the {name} is no Singer {name}: its {part} must be {wanted}")


def _without_secret(message: str) -> str:
    """Return the SDK's message about a setting; about a secret without its value.

    >>> _without_secret("17 is not of type 'string', 'null' in config['client_secret']")
    "client_secret is not what it has to be: of type ['string', 'null']"
    """
    for name, property_ in CONNECTION_PROPERTIES.items():
        if property_.get("secret") and f"config[{name!r}]" in message:
            return f"{name} is not what it has to be: of type {property_['type']}"
    return message


def _matching(names: list[str], pattern: str) -> list[str]:
    """Return the names that a glob matches, in any case, as Salesforce itself reads names.

    >>> _matching(["Account", "AccountHistory", "Lead"], "account*")
    ['Account', 'AccountHistory']
    """
    return [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
