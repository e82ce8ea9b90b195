"""Fixtures: a session with the simulated org, and one org that is sent nonsense."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from salesforce_bulk_simulator import Org, running

from .api import Api
from .nonsense import Server


@pytest.fixture
def api(org: Org, url: str) -> Iterator[Api]:
    """A session with ``org``."""
    opened = Api(url)
    yield opened
    opened.session.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One org that is sent nonsense, for all of a file's tests."""
    org = Org()
    with running(org) as url:
        api = Api(url)
        yield Server(org, url, api)
        api.session.close()
