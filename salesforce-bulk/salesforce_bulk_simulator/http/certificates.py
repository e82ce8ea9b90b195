"""A certificate for Salesforce's own host names, so that clients with hard-coded hosts can be pointed here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509

HOST_NAMES = (
    "localhost",
    "127.0.0.1",
    "login.salesforce.com",
    "test.salesforce.com",
    "*.salesforce.com",
    "*.my.salesforce.com",
    "*.sandbox.my.salesforce.com",
    "*.develop.my.salesforce.com",
)
_LIFETIME = timedelta(days=397)
"""How long a certificate is valid: the maximum that current clients accept."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Files in PEM: the authority that clients must trust, and the server's certificate and key."""

    authority: Path
    chain: Path
    key: Path


def make_certificate(directory: Path | str) -> Certificate:
    """Return the certificate in a directory. It is created unless there is a valid one."""
    folder = Path(directory)
    files = Certificate(authority=folder / "ca.pem", chain=folder / "server.pem", key=folder / "server.key")
    if not _is_valid(files):
        folder.mkdir(parents=True, exist_ok=True)
        _create(files)
    return files


def _is_valid(files: Certificate) -> bool:
    if not all(path.exists() for path in (files.authority, files.chain, files.key)):
        return False
    end = x509.load_pem_x509_certificate(files.chain.read_bytes()).not_valid_after_utc
    return end > datetime.now(UTC) + timedelta(days=1)


def _create(files: Certificate) -> None:
    """Create an authority for this one certificate. Its key is not kept, so nothing else can be signed with it."""
    now = datetime.now(UTC)
    authority = trustme.CA(organization_name="salesforce-bulk-simulator", path_length=0)
    server = authority.issue_cert(*HOST_NAMES, not_before=now - timedelta(hours=1), not_after=now + _LIFETIME)
    authority.cert_pem.write_to_path(files.authority)
    files.chain.write_bytes(b"".join(pem.bytes() for pem in server.cert_chain_pems))
    files.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(files.key)
