"""An org at Salesforce's own host names, for clients that know no others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from salesforce_bulk_simulator import Org, make_certificate, running

from .tunnel import tunnel_to

Peer = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def environment_of_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the simulator's certificate."""
    return tmp_path_factory.mktemp("certificate")


@pytest.fixture
def at_salesforce_hosts(org: Org, environment_of_hosts: Path) -> Iterator[dict[str, str]]:
    """The environment in which a client meets ``org`` at https://login.salesforce.com and My Domain."""
    certificate = make_certificate(environment_of_hosts)
    with running(org, certificate=certificate) as url, tunnel_to(int(url.rpartition(":")[2])) as proxy:
        authority = str(certificate.authority)
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), authority)
        yield {**kept, **trust, "HTTPS_PROXY": proxy, "https_proxy": proxy}
