"""Runs the tap in this process against the simulated org, and keeps what it writes."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from salesforce_bulk_client import SalesforceError
from salesforce_bulk_simulator import Org
from singer_sdk.singerlib.encoding.simple import Message
from tap_salesforce_bulk.output.record_lines import LineWriter
from tap_salesforce_bulk.tap import TapSalesforceBulk


class Crash(BaseException):
    """The process dies; no handler of the tap's may catch it."""


class Pipe(LineWriter):
    """Keeps the lines instead of writing them; breaks after so many records."""

    def __init__(self, *, crash_after_records: int | None = None) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self._records_left = crash_after_records

    def write_message(self, message: Message) -> None:
        self._write(bytes(self.format_message(message)))

    def write_lines(self, lines: bytes) -> None:
        for line in lines.splitlines():
            self._write(line)

    def _write(self, line: bytes) -> None:
        decoded = json.loads(line)
        if decoded["type"] == "RECORD" and self._records_left is not None:
            if not self._records_left:
                raise Crash
            self._records_left -= 1
        self.messages.append(decoded)


@dataclass(kw_only=True)
class Run:
    """What one run of the tap gave."""

    messages: list[dict[str, Any]]
    error: SalesforceError | None = None
    records: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for message in self.messages:
            if message["type"] == "RECORD":
                self.records[message["stream"]].append(message["record"])

    @property
    def states(self) -> list[dict[str, Any]]:
        """The values of all STATE messages."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The value of the last STATE message."""
        state: dict[str, Any] = self.states[-1]
        return state

    def schema(self, stream: str) -> dict[str, Any]:
        """The last schema of a stream."""
        schemas = [each["schema"] for each in self.messages if each["type"] == "SCHEMA" and each["stream"] == stream]
        schema: dict[str, Any] = schemas[-1]
        return schema

    def column(self, stream: str, name: str) -> list[Any]:
        """One property of all records of a stream, sorted: a query's rows come in no order."""
        return sorted(record[name] for record in self.records[stream])


@dataclass(frozen=True, kw_only=True)
class TapRunner:
    """Runs the tap with the settings of the simulated org."""

    settings: Mapping[str, Any]

    def config(self, **more: Any) -> dict[str, Any]:
        """The settings of a run: all polls are quick, and requests come one after the other."""
        quick = {"poll_min_s": 0.01, "poll_max_s": 0.05, "max_concurrent_downloads": 1}
        return {**self.settings, **quick, **more}

    def discover(self, **more: Any) -> dict[str, Any]:
        """The discovered catalog."""
        tap = TapSalesforceBulk(config=self.config(**more), setup_mapper=False)
        with tap.client:
            catalog: dict[str, Any] = tap.catalog_dict
        return catalog

    def catalog(
        self,
        *,
        root: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
        **selected: list[str] | None,
    ) -> dict[str, Any]:
        """The discovered catalog, with these streams selected, each with these fields (None is all).

        ``root`` is added to the metadata of each selected stream; fields named by ``without`` are unknown to it.
        """
        catalog = self.discover()
        for stream in catalog["streams"]:
            name = stream["tap_stream_id"]
            for entry in stream["metadata"]:
                if not entry["breadcrumb"]:
                    entry["metadata"] |= {"selected": name in selected, **(root or {})}
                elif (fields := selected.get(name)) is not None:
                    entry["metadata"]["selected"] = entry["breadcrumb"][1] in fields
            for field_name in without:
                stream["schema"]["properties"].pop(field_name, None)
        return catalog

    def run(
        self,
        *streams: str,
        catalog: dict[str, Any] | None = None,
        state: dict[str, Any] | None = None,
        crash_after_records: int | None = None,
        **more: Any,
    ) -> Run:
        """Read ``streams``, or what the catalog selects; an error of the tap's is part of the result."""
        if streams:
            more["streams_to_discover"] = list(streams)
        pipe = Pipe(crash_after_records=crash_after_records)
        error = None
        try:
            tap = TapSalesforceBulk(
                config=self.config(**more),
                catalog=catalog,
                state=json.loads(json.dumps(state)) if state else None,
                message_writer=pipe,
            )
            tap.sync_all()
        except SalesforceError as caught:
            error = caught
        except Crash:
            pass
        return Run(messages=pipe.messages, error=error)


@pytest.fixture
def tap(settings: dict[str, Any], request: pytest.FixtureRequest) -> TapRunner:
    """The tap, logging in to ``org``; a parameter of this fixture is more settings."""
    return TapRunner(settings={**settings, **getattr(request, "param", {})})


THE_SDKS_PATH = {"flattening_enabled": True, "flattening_max_depth": 1}
"""With these settings, which change no record of Salesforce's, records go through the SDK one by one."""

BOTH_PATHS = pytest.mark.parametrize("tap", [{}, THE_SDKS_PATH], ids=["chunks", "sdk"], indirect=True)


@pytest.fixture
def queries(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Gives the SOQL of all jobs so far."""
    caplog.set_level(logging.DEBUG, logger="tap_salesforce_bulk.query.query_runner")
    return lambda: [
        record.getMessage().partition(": ")[2]
        for record in caplog.records
        if record.name == "tap_salesforce_bulk.query.query_runner" and record.levelno == logging.DEBUG
    ]


@pytest.fixture
def accounts(org: Org) -> list[str]:
    """Three accounts; their Ids."""
    return org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}, {"Name": "Cyd"}])
