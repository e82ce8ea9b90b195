"""`ObjectDiscovery`: which of the org's objects become streams, and their describes."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from salesforce_bulk_client import (
    ApiError,
    BrokenAnswer,
    ConfigError,
    ConnectionFailed,
    NotFound,
    QuotaError,
    describe,
    describe_global,
)
from salesforce_bulk_client.client import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from salesforce_bulk_client import SalesforceClient, SalesforceError, SObjectDescribe

logger = logging.getLogger(__name__)

DESCRIBES_AT_ONCE = 8
"""More of them make Salesforce answer 406 (`salesforce_bulk_client.errors.BUSY_STATUSES`)."""


class ObjectDiscovery:
    """Describes the objects that the settings or the input catalog name."""

    def __init__(
        self, client: SalesforceClient, settings: Mapping[str, Any], *, catalog_names: list[str] | None
    ) -> None:
        """``catalog_names`` are the streams that the input catalog selects; None without one."""
        self._client = client
        self._settings = settings
        self._catalog_names = catalog_names
        self.failures: dict[str, SalesforceError] = {}
        """Why an object cannot be described, by name: it does not stop the others."""

    def describe_all(self) -> dict[str, SObjectDescribe]:
        """Return the describe of each object by the name that was asked for.

        Raises: ConfigError if ``streams_to_discover`` matches nothing; LoginError; ConnectionFailed.
        """
        names = self._names_to_discover() if self._catalog_names is None else self._catalog_names
        self._check_filters(names)
        logger.info("Describing %d objects of %s", len(names), self._client.instance_url)  # logs in, once for all
        pool = ThreadPoolExecutor(DESCRIBES_AT_ONCE, thread_name_prefix="describe")
        try:
            described = list(zip(names, pool.map(self._describe, names), strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # a request that hangs must not delay the end
            raise
        pool.shutdown()
        return {name: answer for name, answer in described if answer}

    def _names_to_discover(self) -> list[str]:
        names = [summary.name for summary in describe_global(self._client) if summary.queryable]
        patterns: list[str] | None = self._settings.get("streams_to_discover")
        if patterns is None:
            return names
        missing = [pattern for pattern in patterns if not matching(names, pattern)]
        found = [name for name in names if any(matching([name], pattern) for pattern in patterns)]
        if not found or set(missing) - set(exact_names(self._settings)):
            raise ConfigError(
                f"streams_to_discover names {', '.join(map(repr, missing))}, but this user can query no such object;"
                " names are API names, such as Account or Invoice__c"
            )
        for name in missing:
            self._note_failure(
                name, ConfigError("streams_to_discover names it, but this user can query no such object")
            )
        return found

    def _check_filters(self, names: Sequence[str]) -> None:
        """Check that each name in ``soql_filters`` is an object's: a filter under a misspelled name has no effect.

        Raises: ConfigError.
        """
        filters = [name.lower() for name in self._settings["soql_filters"]]
        if twice := sorted({name for name in filters if filters.count(name) > 1}):
            raise ConfigError(f"soql_filters names {', '.join(twice)} twice, in different case")
        if not set(filters) <= {name.lower() for name in names}:
            objects = [summary.name for summary in describe_global(self._client)]
            known = {name.lower() for name in [*names, *objects]}
            if unknown := [name for name in self._settings["soql_filters"] if name.lower() not in known]:
                near = get_close_matches(unknown[0], objects, n=1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ConfigError(
                    f"soql_filters names {', '.join(map(repr, unknown))}, but this user can see no such object{hint}"
                )

    def _describe(self, name: str) -> SObjectDescribe | None:
        try:
            return describe(self._client, name)
        except QuotaError:
            raise
        except NotFound:
            self._note_failure(name, ConfigError("this org has no such object, or the user may not see it"))
        except (ApiError, BrokenAnswer) as error:
            self._note_failure(name, error)
        except ConnectionFailed as error:
            self._client.get_json(VERSIONS)  # fails, too, when nothing answers at all
            self._note_failure(name, error)
        return None

    def _note_failure(self, name: str, error: SalesforceError) -> None:
        """Keep why an object cannot be described; the end of a sync reports it as an error."""
        self.failures[name] = error
        level = logging.WARNING if self._catalog_names is None else logging.INFO
        fields = {"stream_name": name, "error_type": type(error).__name__}
        logger.log(level, "%s cannot be described: %s", name, error, extra=fields)


def exact_names(settings: Mapping[str, Any]) -> list[str]:
    """Return what ``streams_to_discover`` names without a glob.

    >>> exact_names({"streams_to_discover": ["Account", "*__c"]})
    ['Account']
    """
    return [name for name in settings.get("streams_to_discover", ()) if not set(name) & set("*?[")]


def soql_filter(settings: Mapping[str, Any], stream: str) -> str | None:
    """Return the condition for a stream; Salesforce's names are case-insensitive.

    >>> soql_filter({"soql_filters": {"account": "Industry != null"}}, "Account")
    'Industry != null'
    """
    filters: dict[str, str] = settings["soql_filters"]
    return next((condition for name, condition in filters.items() if name.lower() == stream.lower()), None)


def matching(names: list[str], pattern: str) -> list[str]:
    """Return the names that a glob matches; Salesforce's names are case-insensitive.

    >>> matching(["Account", "AccountHistory", "Lead"], "account*")
    ['Account', 'AccountHistory']
    """
    return [name for name in names if fnmatchcase(name.lower(), pattern.lower())]
