"""What an org tells of itself: who and where one is, and how much of the org's limits is left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from salesforce_bulk_client import QuotaError, RequestRefused, query_records

if TYPE_CHECKING:
    from salesforce_bulk_client import ConnectionConfig, Limit, SalesforceClient

STOPPING_LIMITS = {
    "DailyApiRequests": "reading and loading",
    "DailyBulkV2QueryJobs": "reading",
    "DailyBulkV2QueryFileStorageMB": "reading",
    "DailyBulkApiBatches": "loading",
}
"""The limits before which the tap and the target stop, at ``quota_percent_total``."""

STORAGE_LIMITS = ("DataStorageMB", "FileStorageMB")
"""Nothing of ours stops before these: Salesforce refuses the rows."""


@dataclass(frozen=True, kw_only=True)
class LimitUse:
    """One of the org's limits."""

    name: str
    max: int
    used: int
    left: int
    stop_at: int | None
    """The use at which the plugins stop; None where they do not."""

    @property
    def is_reached(self) -> bool:
        """Whether the plugins would stop here."""
        return self.stop_at is not None and self.max > 0 and self.used >= self.stop_at


@dataclass(frozen=True, kw_only=True)
class OrgFacts:
    """Where a login leads."""

    instance_url: str
    org: dict[str, Any] | None
    """The row of Organization; None when this user may not read it."""
    org_id: str
    """Empty when nothing tells it."""
    user: dict[str, Any] | None
    """The user's own row; None when it may not read that."""
    user_id: str
    """Empty when nothing tells it."""
    versions: list[str]
    """The API versions that the org offers, oldest first."""


def look_at_org(client: SalesforceClient) -> OrgFacts:
    """Log in and return where that leads; at most three API calls.

    Raises: LoginError; ConfigError if the org does not have ``api_version``; ApiError; ConnectionFailed.
    """
    instance_url = client.instance_url
    client.check_version()
    org_id, user_id = who_asks(client)
    return OrgFacts(
        instance_url=instance_url,
        org=_row(client, "Organization", "Name", "OrganizationType", "InstanceName", "IsSandbox"),
        org_id=org_id,
        user=_row(client, f"User WHERE Id = '{user_id}'", "Username", "Name") if user_id else None,
        user_id=user_id,
        versions=client.versions,
    )


def who_asks(client: SalesforceClient) -> tuple[str, str]:
    """Return the ids of the org and of the user that is logged in, empty where nothing tells them; one API call.

    The address ``identity`` ends with both. Unlike ``userinfo`` it needs no scope but ``api``.
    """
    path = f"/services/data/v{client.api_version}/"
    root = client.get_as(lambda answer: str(answer.get("identity", "")), path)
    identity = re.search(r"/id/(\w{15,18})/(\w{15,18})$", root)
    return (identity[1], identity[2]) if identity else ("", "")


def _row(client: SalesforceClient, source: str, *names: str) -> dict[str, Any] | None:
    """Return the one row, None if it is not there, may not be read, or comes in another form."""
    soql = f"SELECT {', '.join(names)} FROM {source}"  # noqa: S608  our own names, and Salesforce's id
    try:
        rows = (row for batch in query_records(client, soql, include_deleted=False) for row in batch)
        return next((row for row in rows if row.keys() == set(names)), None)
    except QuotaError:
        raise
    except RequestRefused:
        return None


def uses_of(limits: dict[str, Limit], config: ConnectionConfig) -> list[LimitUse]:
    """Return the limits that matter, with where the plugins stop."""
    names = [name for name in (*STOPPING_LIMITS, *STORAGE_LIMITS) if name in limits]
    return [
        LimitUse(
            name=name,
            max=limits[name].max,
            used=limits[name].max - limits[name].remaining,
            left=limits[name].remaining,
            stop_at=int(limits[name].max * config.quota_percent_total / 100) if name in STOPPING_LIMITS else None,
        )
        for name in names
    ]


def requests_of_one_run(uses: list[LimitUse], config: ConnectionConfig) -> int | None:
    """Return how many API requests a run may use now, before one of the two quotas stops it; None when not known."""
    requests = next((use for use in uses if use.name == "DailyApiRequests"), None)
    if requests is None or requests.stop_at is None:
        return None
    share = int(requests.max * config.quota_percent_per_run / 100)
    return max(0, min(share, requests.stop_at - requests.used))
