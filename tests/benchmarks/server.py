"""The benchmarks' server, a program of its own: the simulator at Salesforce's own host names, for peers know no others.

Prints one JSON object with the environment in which a client meets it, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from salesforce_bulk_simulator import Fault, Org, Progression, make_certificate, running

from tests.benchmarks.bulk_1 import bulk_1_before
from tests.benchmarks.rows import OBJECTS, fill
from tests.simulator.peers.tunnel import tunnel_to

MOST_PAGES = 10_000


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="where the certificate is kept")
    parser.add_argument("--rows", nargs="*", default=[], metavar="OBJECT=COUNT")
    parser.add_argument("--copies", type=int, default=0, help="how many more objects there are, named Copy0000__c …")
    parser.add_argument("--job-seconds", type=float, default=0.0, help="how long each job takes")
    parser.add_argument("--page-seconds", type=float, default=0.0, help="how long each result page takes")
    arguments = parser.parse_args()
    org = Org(
        objects=[OBJECTS, *_copies(arguments.copies)],
        progression=Progression.seconds(arguments.job_seconds / 2)  # queued as long as in progress
        if arguments.job_seconds
        else Progression.immediate(),
    )
    for each in arguments.rows:
        name, _, count = each.partition("=")
        fill(org, name, int(count))
    if arguments.page_seconds:
        org.faults.add("query.results", Fault.stall(arguments.page_seconds), times=MOST_PAGES)
    certificate = make_certificate(arguments.folder)
    with running(org) as url, running(org, certificate=certificate) as safe_url:
        port = int(safe_url.rpartition(":")[2])
        with (
            bulk_1_before(port, certificate=certificate) as bulk_1_port,
            tunnel_to(port) as proxy,
            tunnel_to(bulk_1_port) as bulk_1_proxy,
        ):
            trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(certificate.authority))
            site = {"url": url, "trust": trust, "proxy": proxy, "bulk_1_proxy": bulk_1_proxy}
            os.write(1, json.dumps(site).encode() + b"\n")
            sys.stdin.read()


def _copies(count: int) -> list[dict[str, Any]]:
    fields = yaml.safe_load(OBJECTS.read_text())["objects"][0]["fields"]
    return [{"name": f"Copy{number:04d}__c", "fields": fields} for number in range(count)]


if __name__ == "__main__":
    main()
