"""`TapSalesforceBulk`: settings, discovery, and reading all streams."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.util import find_spec
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

import click
from salesforce_bulk_client import (
    ApiError,
    BrokenAnswer,
    ConfigError,
    ConnectionConfig,
    ConnectionFailed,
    LoginError,
    NotFound,
    QuotaError,
    SalesforceClient,
    SalesforceError,
    as_utf8,
    describe,
    describe_global,
    given_settings,
    name_problems,
    setting_problem,
    telemetry,
    unknown_variables,
)
from salesforce_bulk_client.client import VERSIONS
from singer_sdk import Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, PluginBase
from singer_sdk.singerlib import Catalog

from tap_salesforce_bulk.checkpoint import usable_state
from tap_salesforce_bulk.command import RESULT, TapCommand
from tap_salesforce_bulk.errors import StreamMapFailed, StreamsFailed
from tap_salesforce_bulk.jobs_ahead import JobsAhead
from tap_salesforce_bulk.lines import LineWriter
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA, start_date
from tap_salesforce_bulk.stopping import stop
from tap_salesforce_bulk.streams import SObjectStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import FrameType

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
        self._begun: set[str] = set()
        """Streams whose turn has come."""
        _check_file("catalog", kwargs.get("catalog"), part="streams", kind=list)
        if isinstance(kwargs.get("state"), dict):
            kwargs["state"] = usable_state(kwargs["state"])
        _check_file("state", kwargs.get("state"), part="bookmarks", kind=dict)
        entries = kwargs["catalog"].get("streams", ()) if isinstance(kwargs.get("catalog"), dict) else ()
        for entry in entries:
            _check_entry(entry)
        self._entries = {entry.get("tap_stream_id"): entry for entry in entries}
        super().__init__(**kwargs)

    def catalog_entry(self, stream: str) -> Mapping[str, Any]:
        """Return the input catalog's entry as it was given: the SDK drops words that it does not know."""
        known = self.input_catalog and self.input_catalog.get_stream(stream)
        return self._entries.get(stream) or (known.to_dict() if known else {})

    @cached_property
    def client(self) -> SalesforceClient:
        """The one client of all streams."""
        return SalesforceClient(ConnectionConfig.from_settings(self.config))

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002  # the SDK's
        """Check the settings before anything is sent, and fill in the defaults; a null is an absent setting.

        Raises: ConfigError, with the settings' names and never their values: any of them may hold a secret.
        """
        self.logger.debug("Checking the settings against their JSON schema")
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        self._config = given_settings(self._config, schema["properties"])
        problems, strangers = name_problems(self._config)
        problems += [setting_problem(error) for error in JSONSchemaValidator(schema).iter_errors(self._config)]
        problems += [
            f"{name} must be a finite number"
            for name, value in self._config.items()
            if isinstance(value, float) and not isfinite(value)
        ]
        if problems:
            raise ConfigError("; ".join(problems))
        if strangers:
            self.logger.warning("settings that do not exist are ignored: %s", ", ".join(map(repr, strangers)))
        _check_batch_packages(self.config.get("batch_config") or {})
        start_date(self.config)
        return []

    def setup_mapper(self) -> None:
        """Prepare the stream maps, on a catalog that fits the objects as they now are.

        A stream whose map is invalid is not read: its error is kept in `failures`.
        """
        streams = self.streams  # each brings its entry of the catalog up to date
        PluginBase.setup_mapper(self)
        logging.getLogger("singer_sdk.mapper").setLevel(logging.INFO)  # at DEBUG it logs what a filter gives: values
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
        if self.input_catalog is None:
            names = self._names_to_discover()
        else:
            streams = self.input_catalog.streams
            names = [entry.tap_stream_id for entry in streams if entry.metadata.resolve_selection().get((), True)]
        self._check_filters(names)
        self.logger.info("Describing %d objects of %s", len(names), self.client.instance_url)  # logs in, once for all
        pool = ThreadPoolExecutor(DESCRIBES_AT_ONCE, thread_name_prefix="describe")
        try:
            described = list(zip(names, pool.map(self._describe, names), strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what hangs must not delay the end
            raise
        pool.shutdown()
        return [SObjectStream(tap=self, name=name, describe=answer) for name, answer in described if answer]

    def run_discovery(self) -> str:
        """Write the catalog to stdout.

        Raises: StreamsFailed, after that, for what ``streams_to_discover`` asks for by its exact name. What a glob
            matches is only warned about: an org lists objects that it always refuses to describe.
        """
        catalog = super().run_discovery()
        exact = {name.lower() for name in self._exact_names}
        self._raise_failures({name: error for name, error in self.failures.items() if name.lower() in exact})
        return catalog

    @property
    def _exact_names(self) -> list[str]:
        """What ``streams_to_discover`` names without a glob."""
        return [name for name in self.config.get("streams_to_discover", ()) if not set(name) & set("*?[")]

    def _names_to_discover(self) -> list[str]:
        names = [summary.name for summary in describe_global(self.client) if summary.queryable]
        patterns: list[str] | None = self.config.get("streams_to_discover")
        if patterns is None:
            return names
        missing = [pattern for pattern in patterns if not _matching(names, pattern)]
        found = [name for name in names if any(_matching([name], pattern) for pattern in patterns)]
        if not found or any(pattern not in self._exact_names for pattern in missing):
            raise ConfigError(
                f"streams_to_discover names {', '.join(map(repr, missing))}, but this user can query no such object;"
                " names are API names, such as Account or Invoice__c"
            )
        for name in missing:
            self._note_failure(
                name, ConfigError("streams_to_discover names it, but this user can query no such object")
            )
        return found

    def _check_filters(self, names: list[str]) -> None:
        """Check that each name in ``soql_filters`` is an object's: rows are not filtered by a misspelt one.

        Raises: ConfigError.
        """
        filters = [name.lower() for name in self.config["soql_filters"]]
        if twice := sorted({name for name in filters if filters.count(name) > 1}):
            raise ConfigError(f"soql_filters names {', '.join(twice)} twice, in different case")
        if not set(filters) <= {name.lower() for name in names}:
            objects = [summary.name for summary in describe_global(self.client)]
            known = {name.lower() for name in [*names, *objects]}
            if strangers := [name for name in self.config["soql_filters"] if name.lower() not in known]:
                near = get_close_matches(strangers[0], objects, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ConfigError(
                    f"soql_filters names {', '.join(map(repr, strangers))}, but this user can see no such object{hint}"
                )

    def soql_filter(self, stream: str) -> str | None:
        """Return the condition for a stream; names are read in any case, as Salesforce reads them."""
        filters: dict[str, str] = self.config["soql_filters"]
        return next((condition for name, condition in filters.items() if name.lower() == stream.lower()), None)

    def _describe(self, name: str) -> SObjectDescribe | None:
        try:
            return describe(self.client, name)
        except QuotaError:
            raise
        except NotFound:
            self._note_failure(name, ConfigError("this org has no such object, or the user may not see it"))
        except (ApiError, BrokenAnswer) as error:
            self._note_failure(name, error)
        except ConnectionFailed as error:
            self.client.get_json(VERSIONS)  # fails, too, when nothing answers at all
            self._note_failure(name, error)
        return None

    def _note_failure(self, name: str, error: SalesforceError) -> None:
        """Keep why an object cannot be described; the end of a sync reports it as an error."""
        self.failures[name] = error
        level = logging.WARNING if self.input_catalog is None else logging.INFO
        fields = {"stream_name": name, "error_type": type(error).__name__}
        self.logger.log(level, "%s cannot be described: %s", name, error, extra=fields)

    # Reading

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK, whose first error stops all streams
        """Read all selected streams; one that fails does not stop the others.

        Raises: StreamsFailed at the end; at once LoginError and QuotaError, which would meet the others too.
        """
        if context := click.get_current_context(silent=True):
            context.meta[RESULT] = self._log_result
        with self.client:
            self._reset_state_progress_markers()
            if self.state:
                self.state_writer.write_state(self.state)
            selected = [each for each in self.streams.values() if isinstance(each, SObjectStream) and each.selected]
            jobs_ahead = JobsAhead(selected, max_jobs=self.config["max_concurrent_jobs"])
            for stream in selected:
                self._begun.add(stream.name)
                stream.make_jobs_ahead = jobs_ahead.fill
                with telemetry.span("salesforce.bulk.stream", sobject=stream.name) as note:
                    stream.sync()
                    if stream.failure:
                        note(error_type=type(stream.failure).__name__)
                stream.finalize_state_progress_markers()
                self._note_failures([stream])
        self._miss_in_catalog()
        self._raise_failures(self.failures)

    def _log_result(self) -> None:
        """Log what a person should read last: how many records of each stream were read, and which failed."""
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

    def _miss_in_catalog(self) -> None:
        """Note what ``streams_to_discover`` names and the input catalog lacks: its discovery may have failed."""
        if self.input_catalog is None:
            return
        known = {entry.tap_stream_id.lower() for entry in self.input_catalog.streams}
        for name in self._exact_names:
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
        """Return the settings that environment variables give, in UTF-8 whatever the locale.

        Raises: ConfigError for one that does not have its setting's type.
        """
        try:
            given: dict[str, Any] = dict(super()._env_var_config)
            variables: dict[str, Any] = as_utf8(given | unknown_variables(cls._env_var_prefix))
            return variables
        except UnicodeError:
            raise ConfigError("a .env file that is not plain ASCII is read only with PYTHONUTF8=1") from None
        except ValueError:
            schema, prefix = cls.config_jsonschema["properties"], cls._env_var_prefix
            wrong = [prefix + name.upper() for name in schema if not _is_readable(name, schema[name], prefix=prefix)]
            raise ConfigError(f"a {prefix}* variable does not have its setting's type: {', '.join(wrong)}") from None

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


def _check_batch_packages(batch_config: Mapping[str, Any]) -> None:
    """Check that what writes BATCH files is installed.

    Raises: ConfigError.
    """
    if (batch_config.get("encoding") or {}).get("format") == "parquet" and find_spec("pyarrow") is None:
        raise ConfigError(
            'batch_config asks for parquet: install "singer-salesforce-bulk[parquet]", as the README shows under'
            ' "Install"'
        )
    from fsspec import get_filesystem_class  # type: ignore[import-untyped]

    scheme, is_address, _ = str((batch_config.get("storage") or {}).get("root", "")).partition("://")
    if is_address:
        try:
            get_filesystem_class(scheme)
        except (ImportError, ValueError) as error:  # fsspec's, which names the package
            raise ConfigError(f"batch_config: files cannot be written to {scheme}://: {error}") from None


def _is_readable(name: str, schema: dict[str, Any], *, prefix: str) -> bool:
    """Whether the variable of this setting, if there is one, can be read as its type."""
    try:
        parse_environment_config({"properties": {name: schema}}, prefix)
    except ValueError:
        return False
    return True


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


def _check_entry(entry: Mapping[str, Any]) -> None:
    """Check the form of a stream in a catalog, in which the SDK trusts.

    Raises: ConfigError.
    """
    name = entry.get("tap_stream_id")
    if not isinstance(name, str):
        raise ConfigError("a stream of the catalog has no tap_stream_id: discover again")
    if entry.get("stream", name) != name:
        raise ConfigError(
            f"the catalog calls the stream {name!r} {entry['stream']!r}: leave out stream; __alias__ in stream_maps"
            " gives the target another name"
        )
    if not isinstance(entry.get("schema", {}), dict):
        raise ConfigError(f"the catalog's schema of {name!r} must be an object: discover again")
    metadata = entry.get("metadata", [])
    if not isinstance(metadata, list) or not all(map(_is_metadata, metadata)):
        raise ConfigError(
            f"the catalog's metadata of {name!r} must be a list of objects, each with breadcrumb and metadata:"
            " discover again"
        )


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("breadcrumb"), list)
        and isinstance(value.get("metadata"), dict)
    )


def _matching(names: list[str], pattern: str) -> list[str]:
    """Return the names that a glob matches, in any case, as Salesforce itself reads names.

    >>> _matching(["Account", "AccountHistory", "Lead"], "account*")
    ['Account', 'AccountHistory']
    """
    return [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
