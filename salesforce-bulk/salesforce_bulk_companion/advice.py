"""What a user can do about an error that does not say so itself."""

from __future__ import annotations

from salesforce_bulk_client import (
    ApiError,
    ConnectionFailed,
    NotFound,
    QuotaExceeded,
    SalesforceError,
    ServerBusy,
)

_BY_CODE = {
    "API_DISABLED_FOR_ORG": "The org's edition has no API, or the user lacks the permission API Enabled.",
    "API_CURRENTLY_DISABLED": "The API is switched off for this user: ask an administrator for API Enabled.",
    "FORBIDDEN": "The user, or the connected app, may not do this: ask an administrator.",
    "INSUFFICIENT_ACCESS": "The user may not do this: ask an administrator for the permission.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The user may not do this: ask an administrator for the permission.",
    "INVALID_FIELD": "Look at soql_filters; a field may also be hidden from this user by field-level security.",
    "MALFORMED_QUERY": "Look at soql_filters: the condition there is part of the query.",
    "INVALID_TYPE": "This user cannot query the object: ask an administrator for the permission to read it.",
    "QUERY_TIMEOUT": "Counting took Salesforce too long. The sync may work all the same; window_days makes it lighter.",
    "UNSUPPORTED_API_VERSION": "Set api_version to one that the org offers.",
    "INVALID_SESSION_ID": "The org refuses this session for the API: look at the connected app's policies.",
    "INVALIDJOBSTATE": "A job can be aborted until it has ended, and deleted after that.",
    "API_ERROR": "A job that has not ended has to be aborted before it can be deleted.",
}


def advice_on(error: SalesforceError) -> str:
    """Return what to do, or nothing where the error's own words say it."""
    if isinstance(error, QuotaExceeded):
        return "The limit counts the last 24 hours: try again later, or ask Salesforce for more."
    if isinstance(error, ApiError) and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if isinstance(error, NotFound):
        return "It does not exist, or this user may not see it."
    if isinstance(error, ServerBusy):
        return "Salesforce is busy or down: look at status.salesforce.com, and try again later."
    if isinstance(error, ConnectionFailed):
        return "Look at the address, and whether this machine may reach it (proxy, firewall, allow-list)."
    return ""
