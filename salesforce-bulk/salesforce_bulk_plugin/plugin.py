"""`SalesforcePlugin`: what both plugins change in the SDK's: settings, ``--about``, and the command."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from salesforce_bulk_client import ConfigError
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.plugin_base import JSONSchemaValidator, PluginBase

from salesforce_bulk_plugin.settings import (
    as_utf8,
    given_settings,
    name_problems,
    setting_problem,
    unknown_variables,
)

if TYPE_CHECKING:
    import click

    from salesforce_bulk_plugin.command import PluginCommand


class SalesforcePlugin(PluginBase):
    """The base of both plugins, to be inherited from before the SDK's `Tap` or `Target`."""

    command_class: ClassVar[type[PluginCommand]]
    command_help: ClassVar[str]

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002  # the SDK's
        """Check the settings before anything is sent, and fill in the defaults; a null is an absent setting.

        Raises: ConfigError, with the settings' names and never their values: any of them may hold a secret.
        """
        self.logger.debug("Checking the settings against their JSON schema")
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        self._config = given_settings(self._config, schema["properties"])
        problems, unknown = name_problems(self._config)
        problems += [setting_problem(error) for error in JSONSchemaValidator(schema).iter_errors(self._config)]
        problems += [
            f"{name} must be a finite number"
            for name, value in self._config.items()
            if isinstance(value, float) and not isfinite(value)
        ]
        if problems:
            raise ConfigError("; ".join(problems))
        if unknown:
            self.logger.warning("settings that do not exist are ignored: %s", ", ".join(map(repr, unknown)))
        return []

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
        """Return the SDK's command as the plugin's own `PluginCommand`."""
        command = super().get_singer_command()
        return cls.command_class(
            name=command.name,
            callback=command.callback,
            params=command.params,
            context_settings=command.context_settings,
            help=cls.command_help,
            logger=cls.logger,
        )


def _is_readable(name: str, schema: dict[str, Any], *, prefix: str) -> bool:
    """Whether the variable of this setting, if there is one, can be read as its type."""
    try:
        parse_environment_config({"properties": {name: schema}}, prefix)
    except ValueError:
        return False
    return True
