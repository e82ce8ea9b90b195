"""``salesforce-bulk check``: log in, and show the org, its limits and what a sync would take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from salesforce_bulk_client import QuotaError, RequestRefused, SalesforceError

from salesforce_bulk_companion.check.as_json import JsonReport
from salesforce_bulk_companion.check.client import CheckingClient
from salesforce_bulk_companion.check.estimate import Speed
from salesforce_bulk_companion.check.findings import Findings
from salesforce_bulk_companion.check.streams import StreamChecker
from salesforce_bulk_companion.check.text import TextReport
from salesforce_bulk_companion.org import look_at_org, uses_of
from salesforce_bulk_companion.output import FORMAT
from salesforce_bulk_companion.settings import connection_options, read_json_object, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from salesforce_bulk_companion.check.streams import StreamCheck


@click.command()
@connection_options
@click.option(
    "--stream",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="Also check how this stream would be read: an object's name, or a glob. Repeatable.",
)
@click.option(
    "--catalog",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The tap's catalog: its selected streams and fields. Without --stream, all of them are checked.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The tap's state: what the next run would read.",
)
@click.option(
    "--sample",
    "sample_size",
    type=click.IntRange(0, 50),
    default=3,
    show_default=True,
    help="Records of each stream to show; 0 reads none, and measures no speed.",
)
@click.option("--show-values", is_flag=True, help="Show the values of the sample, not only their shape.")
@click.option(
    "--records-per-second",
    type=click.FloatRange(min=0, min_open=True),
    help="Estimate the time with this speed, instead of one that was measured.",
)
@FORMAT
@click.pass_context
def check(
    ctx: click.Context,
    *,
    config: tuple[str, ...],
    is_target: bool,
    patterns: tuple[str, ...],
    catalog: Path | None,
    state: Path | None,
    sample_size: int,
    show_values: bool,
    records_per_second: float | None,
    output_format: str,
) -> None:
    """Log in, and show the org, its limits and what a sync would take.

    With --stream also the query that the tap would send, the number of rows that it finds, a few of them, and how
    many pages, API calls and seconds reading them would take. Nothing is written, and no job is made.

    Exit codes: 0 all is well, 1 something failed, 2 the command line is wrong, 75 a quota stands in the way.
    """
    settings = read_settings(config, is_target=is_target)
    files = {what: read_json_object(path, what=what) for what, path in (("catalog", catalog), ("state", state)) if path}
    if catalog and not patterns:
        patterns = ("*",)
    findings = Findings(source=settings.source)
    report_type = {"text": TextReport, "json": JsonReport}[output_format]
    report = report_type(findings, sample_size=sample_size, show_values=show_values)
    report.begins()
    try:
        findings.config = settings.connection()
        report.logs_in()
        with CheckingClient(findings.config) as client:
            try:
                _check_org(client, findings)
                report.has_org()
                if patterns:
                    checker = StreamChecker(
                        client,
                        settings.values,
                        catalog=files.get("catalog"),
                        state=files.get("state"),
                        speed=_given_speed(records_per_second),
                        sampled=bool(sample_size),
                    )
                    for found in _check_streams(checker, patterns, findings):
                        report.has_stream(found)
            finally:
                findings.api_calls = client.number_of_api_calls
    except SalesforceError as error:
        findings.problems.append(("", error))
    report.ends()
    ctx.exit(findings.exit_code)


def _given_speed(records_per_second: float | None) -> Speed | None:
    if records_per_second is None:
        return None
    return Speed(records_per_second, f"{records_per_second:g} records a second, as you said")


def _check_org(client: CheckingClient, findings: Findings) -> None:
    findings.facts = look_at_org(client)
    assert findings.config is not None
    try:
        findings.limits = uses_of(client.limits(), findings.config)
    except QuotaError:
        raise
    except RequestRefused as error:
        findings.notes.append(
            f"the org's limits are not shown, and runs check only the API requests: {error}"
            " (the permission View Setup and Configuration lets this user see them)"
        )


def _check_streams(checker: StreamChecker, patterns: tuple[str, ...], findings: Findings) -> Iterator[StreamCheck]:
    """Yield what is found of each stream; what goes wrong with one does not stop the others."""
    seen: set[str] = set()
    for pattern in patterns:
        try:
            streams, failures = checker.streams(pattern)
        except QuotaError:
            raise
        except SalesforceError as error:
            findings.problems.append((pattern, error))
            continue
        findings.problems += [(name, error) for name, error in failures.items() if name not in seen]
        seen |= failures.keys()
        for stream in streams:
            if stream.name in seen:
                continue
            seen.add(stream.name)
            try:
                found = checker.check(stream)
            except QuotaError:
                raise
            except SalesforceError as error:
                findings.problems.append((stream.name, error))
                continue
            findings.streams.append(found)
            yield found
