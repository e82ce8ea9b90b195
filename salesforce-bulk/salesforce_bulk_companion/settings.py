"""The settings of the plugins: from their config files, or from their environment variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
import simplejson  # type: ignore[import-untyped]  # what the SDK reads its files with
from salesforce_bulk_client import (
    CONNECTION_PROPERTIES,
    ConfigError,
    ConnectionConfig,
)
from salesforce_bulk_plugin.settings import given_settings, name_problems, unknown_variables
from singer_sdk.configuration._dict_config import parse_environment_config
from tap_salesforce_bulk.settings import CONFIG_JSONSCHEMA as TAP_SCHEMA
from target_salesforce_bulk.settings import CONFIG_JSONSCHEMA as TARGET_SCHEMA

ENVIRONMENT = "ENV"
"""In the place of a config file, as the plugins have it: their environment variables."""

TAP_PREFIX = "TAP_SALESFORCE_BULK_"
TARGET_PREFIX = "TARGET_SALESFORCE_BULK_"
_SCHEMAS: dict[str, dict[str, Any]] = {TAP_PREFIX: TAP_SCHEMA, TARGET_PREFIX: TARGET_SCHEMA}
DEFAULT_RESULTS_DIR: str = TARGET_SCHEMA["properties"]["results_dir"]["default"]

PATIENCE_S = 20.0
"""For so long a request is tried again: who waits at a terminal wants to know soon what is wrong."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a plugin, numbers as floats, and where they come from."""

    values: Mapping[str, Any]
    source: str
    """Which files or variables were read, in words."""

    def connection(self) -> ConnectionConfig:
        """Return how to log in; less patient than a plugin's run.

        Raises: ConfigError, naming the setting and what to do.
        """
        config = ConnectionConfig.from_settings(self.values)
        return replace(config, retry_total_s=min(PATIENCE_S, config.retry_total_s))


def target_config(needed: str) -> Callable[[Command], Command]:
    """Return the option of a command that reads the target's settings only; ``needed`` is a sentence."""
    return _config_option("the target", more=f" {needed}")


def _config_option(owner: str, *, more: str = "") -> Callable[[Command], Command]:
    return click.option(
        "--config",
        multiple=True,
        metavar="FILE",
        help=f"Config file of {owner}; later ones win over earlier ones. ENV stands for the environment variables, and"
        f" is what is read when this option is not given.{more}",
    )


def connection_options(command: Command) -> Command:
    """Add the options that say where the settings are."""
    config = _config_option("the tap or the target")
    target = click.option(
        "--target",
        "is_target",
        is_flag=True,
        help=f"Read {TARGET_PREFIX}* variables also when {TAP_PREFIX}* ones are set, too.",
    )
    return config(target(command))


def read_settings(config: Sequence[str], *, is_target: bool) -> Settings:
    """Return the settings of files, the later over the earlier, and of the environment over all (``ENV``, or no file).

    Raises: ConfigError for a file that cannot be read, or when there are no settings at all.
    """
    values: dict[str, Any] = {}
    sources = []
    for name in config:
        if name != ENVIRONMENT:
            values |= _read_file(Path(name))
            sources.append(name)
    reads_environment = not config or ENVIRONMENT in config
    if reads_environment:
        prefix, found = _read_environment(is_target=is_target)
        values |= found
        sources.append(f"{prefix}* variables")
    if not values:
        raise ConfigError(f"there are no settings: name a --config FILE, or set {TAP_PREFIX}* or {TARGET_PREFIX}*")
    unread = [f"{prefix}*" for prefix in _SCHEMAS if _logs_in(prefix) and f"{prefix}* variables" not in sources]
    way = "--target reads those" if reads_environment else "--config ENV adds them"
    note = f" ({' and '.join(unread)} variables are set, too, and not read: {way})" if unread else ""
    problems, strangers = name_problems(values)
    if problems:
        raise ConfigError("; ".join(problems))
    if strangers:
        click.echo(f"Warning: settings that do not exist are ignored: {', '.join(map(repr, strangers))}", err=True)
    properties = TARGET_SCHEMA["properties"] | TAP_SCHEMA["properties"]
    return Settings(values=given_settings(values, properties), source=f"{', then '.join(sources)}{note}")


def results_folder(results_dir: Path | None, settings: Settings | None) -> Path:
    """Return the target's folder of results: the one that is named, or that of the settings.

    Raises: click.UsageError if it is not there.
    """
    by_setting = settings.values.get("results_dir") if settings else None
    by_variable = os.environ.get(f"{TARGET_PREFIX}RESULTS_DIR")
    folder = (results_dir or Path(by_setting or by_variable or DEFAULT_RESULTS_DIR)).expanduser()
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder {str(folder)!r}: name the target's results_dir")
    return folder


def read_json_object(path: Path, *, what: str) -> dict[str, Any]:
    """Return the JSON object in a file that a user named.

    Raises: ConfigError.
    """
    try:
        content = simplejson.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the {what} {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        place = f"line {error.lineno}" if isinstance(error, simplejson.JSONDecodeError) else "it is no UTF-8"
        raise ConfigError(f"the {what} {str(path)!r} is not valid JSON: {place}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"the {what} {str(path)!r} is not a JSON object")
    return content


def unwrapped(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a Singer state; `meltano state get` puts it into an object."""
    return state and state.get("singer_state", state)


def _read_file(path: Path) -> dict[str, Any]:
    return read_json_object(path, what="config file")


def _read_environment(*, is_target: bool) -> tuple[str, dict[str, Any]]:
    """Return the settings that one plugin's variables give: the tap's, but the target's if only those log in."""
    found = {prefix: _settings_in(prefix) for prefix in _SCHEMAS}  # reads a .env file, too
    only_the_targets = _logs_in(TARGET_PREFIX) and not _logs_in(TAP_PREFIX)
    prefix = TARGET_PREFIX if is_target or only_the_targets else TAP_PREFIX
    return prefix, found[prefix]


def _settings_in(prefix: str) -> dict[str, Any]:
    try:
        return parse_environment_config(_SCHEMAS[prefix], prefix) | unknown_variables(prefix)
    except ValueError as error:  # of a setting that is a number, a list or an object, none of which is a secret
        raise ConfigError(f"a {prefix}* variable does not have its setting's type: {error}") from None


def _logs_in(prefix: str) -> bool:
    """Whether one of a plugin's variables has to do with logging in."""
    return any(prefix + name.upper() in os.environ for name in CONNECTION_PROPERTIES)
