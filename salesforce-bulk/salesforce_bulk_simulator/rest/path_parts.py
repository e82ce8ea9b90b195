"""The parts of a path: the object, and the external ID field."""

from __future__ import annotations

from salesforce_bulk_simulator.data.schema.model import SObject
from salesforce_bulk_simulator.http.errors import RequestRefused, not_found
from salesforce_bulk_simulator.http.messages import Request

from .org_protocol import RestOrg


def find_sobject(org: RestOrg, request: Request) -> SObject:
    """Return the object in the path.

    Raises:
        RequestRefused: 404, if it does not exist.
    """
    sobject = org.objects.get(request.parts["sobject"].lower())
    if sobject is None:
        raise not_found()
    return sobject


def no_such_key(name: str) -> RequestRefused:
    """Return the error for a name in the path that is not an external ID field of the object."""
    return not_found(f"Provided external ID field does not exist or is not accessible: {name}")
