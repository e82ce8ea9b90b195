"""Salesforce's login hosts, and the address of the org behind them."""

from __future__ import annotations

from salesforce_bulk_simulator.http.messages import Request

LOGIN_HOSTS = ("login.salesforce.com", "test.salesforce.com")


MY_DOMAIN = "sim.my.salesforce.com"
"""The host of the org for clients that log in at one of the login hosts."""


def instance_url(request: Request) -> str:
    """Return the URL of the org: the one of the request, or My Domain if that is a login host."""
    for host in LOGIN_HOSTS:
        if f"//{host}" in request.base_url.lower():
            return request.base_url.lower().replace(host, MY_DOMAIN)
    return request.base_url
