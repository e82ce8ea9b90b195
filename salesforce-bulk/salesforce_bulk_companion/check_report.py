"""What `check` has found, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from salesforce_bulk_companion.advice import advice_on
from salesforce_bulk_companion.check_org import STOPPING_LIMITS
from salesforce_bulk_companion.output import (
    counted,
    duration,
    number,
    print_facts,
    print_heading,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from salesforce_bulk_companion.check import Findings
    from salesforce_bulk_companion.check_org import OrgFacts
    from salesforce_bulk_companion.check_stream import StreamCheck
    from salesforce_bulk_companion.estimate import Estimate


def print_org(findings: Findings) -> None:
    """Print who and where one is, and the limits."""
    config, facts = findings.config, findings.facts
    assert config is not None
    assert facts is not None
    oldest, newest = facts.versions[0], facts.versions[-1]
    print_facts(
        [
            ("Settings", findings.source),
            ("Login", f"{config.auth_flow.value} at {config.login_url}"),
            ("Instance", facts.instance_url),
            ("Org", _org_in_words(facts)),
            ("User", _user_in_words(facts)),
            ("API", f"{config.api_version} (the org offers {oldest} to {newest})"),
        ]
    )
    if findings.limits:
        print_heading("Limits")
        print_table(
            ["Limit", "Used", "Of", "Left", "Stop at"],
            [
                [
                    use.name,
                    number(use.used),
                    number(use.max),
                    number(use.left),
                    "" if use.stop_at is None else number(use.stop_at),
                ]
                for use in findings.limits
            ],
            numbers=["Used", "Of", "Left", "Stop at"],
        )
        if (requests := findings.requests_of_one_run) is not None:
            quotas = (
                f"quota_percent_per_run is {config.quota_percent_per_run:g} %,"
                f" quota_percent_total {config.quota_percent_total:g} %"
            )
            print_facts([("", f"A run that begins now may use {number(requests)} API requests: {quotas}.")])


def _org_in_words(facts: OrgFacts) -> str:
    if facts.org is None:
        return f"{facts.org_id} (this user may not read Organization)"
    org = facts.org
    kind = "sandbox" if org["IsSandbox"] else "no sandbox"
    return f"{org['Name']} ({org['OrganizationType']}, {kind}), instance {org['InstanceName']}, {facts.org_id}"


def _user_in_words(facts: OrgFacts) -> str:
    if facts.user is None:
        return f"{facts.user_id} (this user may not read its own User row)"
    return f"{facts.user['Username']} ({facts.user['Name']}), {facts.user_id}"


def print_stream(found: StreamCheck, *, sample_size: int, show_values: bool) -> None:
    """Print what was found of one stream."""
    print_heading(found.name)
    records = f"{number(found.rows)}, deleted ones included" if found.query.include_deleted else number(found.rows)
    print_facts(
        [
            ("Records", records),
            ("Read by", _way_in_words(found)),
            ("SOQL", found.query.soql),
            ("Estimate", _estimate_in_words(found.estimate)),
            *(("", f"- {line}") for line in found.estimate.basis),
        ]
    )
    if found.sample and sample_size:
        records_shown = found.sample.records[:sample_size]
        names = [name for name in found.types if name in records_shown[0]]
        filled = [name for name in names if any(record[name] is not None for record in records_shown)]
        notes = [f"{counted(len(names) - len(filled), 'field')} that are null in all of them are not shown"]
        if len(names) < len(found.types):
            notes.append(f"{len(names)} of {len(found.types)} fields were asked for, as many as fit into a REST query")
        print_facts([("Sample", f"{counted(len(records_shown), 'record')}; {'; '.join(notes)}")])
        shown = _as_it_is if show_values else hidden
        print_table(
            ["Field", "Type", *(f"Record {place}" for place in range(1, len(records_shown) + 1))],
            [[name, found.types[name], *(shown(record[name]) for record in records_shown)] for name in filled],
        )


def _way_in_words(found: StreamCheck) -> str:
    if not found.query.is_bulk:
        return "REST queries, since Bulk refuses the object"
    windows = f", one for each window of {found.window_days:g} days" if found.jobs > 1 else ""
    return f"{counted(found.jobs, 'query job')} ({_operation(found)}){windows}"


def _operation(found: StreamCheck) -> str:
    return "queryAll" if found.query.include_deleted else "query"


def _estimate_in_words(made: Estimate) -> str:
    time = f"{'at least ' if made.is_at_least else 'about '}{duration(made.seconds)}"
    return f"{time}, {counted(made.pages, 'page')}, {counted(made.api_calls, 'API call')}"


def hidden(value: Any) -> str:
    """Return what a value is like, without the value.

    >>> [hidden(value) for value in (None, "Ada", True, 5, {"city": "Rome"})]
    ['null', '3 characters', 'a boolean', 'a number', 'an object']
    """
    match value:
        case None:
            return "null"
        case str():
            return f"{len(value)} characters"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case _:
            return "an object"


def _as_it_is(value: Any) -> str:
    return "null" if value is None else str(value)


def print_end(findings: Findings) -> None:
    """Print what concerns all of it."""
    print_heading("Result")
    verdict = {0: "all is well", 1: "something failed", 75: "a quota stands in the way"}[findings.exit_code]
    print_facts(
        [
            *(("Note", note) for note in findings.notes),
            *([("All", _sum_in_words(findings.streams))] if len(findings.streams) > 1 else []),
            *(("Quota", line) for line in _quotas_in_words(findings)),
            ("Check", f"{verdict}; it used {number(findings.api_calls)} API calls, and made no job"),
        ]
    )


def _sum_in_words(streams: list[StreamCheck]) -> str:
    seconds = sum(found.estimate.seconds for found in streams)
    about = "at least" if any(found.estimate.is_at_least for found in streams) else "about"
    return (
        f"{number(sum(found.rows for found in streams))} records, {number(_api_calls(streams))} API calls, {about}"
        f" {duration(seconds)} one after the other; jobs of later streams run ahead, so it may be less"
    )


def _quotas_in_words(findings: Findings) -> Iterator[str]:
    for use in findings.reached:
        yield (
            f"{STOPPING_LIMITS[use.name]} would stop: {number(use.used)} of {number(use.max)} {use.name} are used, and"
            f" quota_percent_total stops at {number(use.stop_at or 0)}; go on later, or raise quota_percent_total"
        )
    needed, allowed = _api_calls(findings.streams), findings.requests_of_one_run
    if allowed is not None and needed > allowed:
        yield f"the sync needs about {number(needed)} API calls, but may use {number(allowed)}: several runs"


def _api_calls(streams: list[StreamCheck]) -> int:
    return sum(found.estimate.api_calls for found in streams)


def as_json(findings: Findings, *, sample_size: int, show_values: bool) -> dict[str, Any]:
    """Return all findings, for programs."""
    config, facts = findings.config, findings.facts
    document: dict[str, Any] = {"ok": findings.exit_code == 0, "settings": findings.source}
    if config:
        document["login"] = {"flow": config.auth_flow.value, "login_url": config.login_url}
    if facts:
        document["login"]["instance_url"] = facts.instance_url
        document["org"] = {"id": facts.org_id, **_snake(facts.org)}
        document["user"] = {"id": facts.user_id, **_snake(facts.user)}
        document["api"] = {"version": config and config.api_version, "newest": facts.versions[-1]}
    document["limits"] = [{**asdict(use), "is_reached": use.is_reached} for use in findings.limits]
    document["requests_of_one_run"] = findings.requests_of_one_run
    document["streams"] = [_stream_as_json(each, sample_size, show_values=show_values) for each in findings.streams]
    document["notes"] = findings.notes
    document["problems"] = [
        {"stream": where or None, "message": str(error), "advice": advice_on(error)}
        for where, error in findings.problems
    ]
    return {**document, "api_calls": findings.api_calls}


def _snake(row: dict[str, Any] | None) -> dict[str, Any]:
    names = {
        "Name": "name",
        "OrganizationType": "type",
        "InstanceName": "instance",
        "IsSandbox": "is_sandbox",
        "Username": "username",
    }
    return {names[name]: value for name, value in (row or {}).items()}


def _stream_as_json(found: StreamCheck, sample_size: int, *, show_values: bool) -> dict[str, Any]:
    records = found.sample.records[:sample_size] if found.sample else []
    return {
        "stream": found.name,
        "records": found.rows,
        "soql": found.query.soql,
        "operation": _operation(found),
        "by": "bulk" if found.query.is_bulk else "rest",
        "jobs": found.jobs,
        "estimate": asdict(found.estimate),
        "fields": found.types,
        "sample": [
            {name: value if show_values else hidden(value) for name, value in record.items()} for record in records
        ],
    }
