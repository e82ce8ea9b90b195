"""What `check` has found, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from salesforce_bulk_plugin.formatting import counted, duration, number

from salesforce_bulk_companion.advice import advice_on
from salesforce_bulk_companion.check.report import TOLD_BY_TYPE, Report, hidden, operation
from salesforce_bulk_companion.org import STOPPING_LIMITS
from salesforce_bulk_companion.output import print_facts, print_heading, print_problem, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from salesforce_bulk_companion.check.estimate import Estimate
    from salesforce_bulk_companion.check.findings import Findings
    from salesforce_bulk_companion.check.streams import StreamCheck
    from salesforce_bulk_companion.org import LimitUse, OrgFacts


class TextReport(Report):
    """Prints each finding as it is made."""

    def begins(self) -> None:
        """Tell which settings are used."""
        print_facts([("Settings", self._findings.source)])

    def logs_in(self) -> None:
        """Tell how, before anything can go wrong with it."""
        config = self._findings.config
        assert config is not None
        print_facts([("Login", f"{config.auth_flow.value} at {config.login_url}")])

    def has_org(self) -> None:
        """Tell who and where one is, and what is left of the limits."""
        config, facts = self._findings.config, self._findings.facts
        assert config is not None
        assert facts is not None
        oldest, newest = facts.versions[0], facts.versions[-1]
        print_facts(
            [
                ("Instance", facts.instance_url),
                ("Org", _org_in_words(facts)),
                ("User", _user_in_words(facts)),
                ("API", f"{config.api_version} (the org offers {oldest} to {newest})"),
            ]
        )
        if self._findings.limits:
            print_heading("Limits")
            head = ["Limit", "Used", "Of", "Left", "Stop at"]
            print_table(head, [_limit_in_words(use) for use in self._findings.limits], numbers=head[1:])
            quotas = (
                f"quota_percent_per_run is {config.quota_percent_per_run:g} %,"
                f" quota_percent_total {config.quota_percent_total:g} %"
            )
            if (requests := self._findings.requests_of_one_run) is not None:
                print_facts([("", f"A run that begins now may use {number(requests)} API requests: {quotas}.")])

    def has_stream(self, found: StreamCheck) -> None:
        """Tell what was found of one stream."""
        deleted = ", deleted ones included" if found.plan.query.include_deleted else ""
        print_heading(found.name)
        print_facts(
            [
                ("Records", f"{number(found.rows)}{deleted}"),
                ("Read by", _way_in_words(found)),
                ("SOQL", found.plan.soql),
                ("Estimate", _estimate_in_words(found.estimate)),
                *(("", f"- {line}") for line in found.estimate.basis),
            ]
        )
        if records := self._sample_of(found):
            _print_sample(found, records, show_values=self._show_values)

    def ends(self) -> None:
        """Tell what concerns all of it, and what went wrong."""
        findings = self._findings
        verdict = {0: "all is well", 1: "something failed", 75: "a quota stands in the way"}[findings.exit_code]
        print_heading("Result")
        print_facts(
            [
                *(("Note", note) for note in findings.notes),
                *([("All", _sum_in_words(findings.streams))] if len(findings.streams) > 1 else []),
                *(("Quota", line) for line in _quotas_in_words(findings)),
                ("Check", f"{verdict}; it used {counted(findings.api_calls, 'API call')}, and made no job"),
            ]
        )
        for where, error in findings.problems:
            print_problem(f"{where}: {error}" if where else str(error), advice=advice_on(error))


def _limit_in_words(use: LimitUse) -> list[str]:
    numbers = [number(use.used), number(use.max), number(use.left)]
    return [use.name, *numbers, "" if use.stop_at is None else number(use.stop_at)]


def _org_in_words(facts: OrgFacts) -> str:
    org_id = facts.org_id or "id unknown (the org does not tell it)"
    if facts.org is None:
        return f"{org_id} (this user may not read Organization)"
    org = facts.org
    kind = "sandbox" if org["IsSandbox"] else "no sandbox"
    return f"{org['Name']} ({org['OrganizationType']}, {kind}), instance {org['InstanceName']}, {org_id}"


def _user_in_words(facts: OrgFacts) -> str:
    if not facts.user_id:
        return "unknown (the org does not tell who is logged in)"
    if facts.user is None:
        return f"{facts.user_id} (this user may not read its own User row)"
    return f"{facts.user['Username']} ({facts.user['Name']}), {facts.user_id}"


def _print_sample(found: StreamCheck, records: list[dict[str, Any]], *, show_values: bool) -> None:
    names = [name for name in found.types if name in records[0]]
    filled = [name for name in names if any(record[name] is not None for record in records)]
    rows = [name for name in filled if show_values or found.types[name] not in TOLD_BY_TYPE]
    notes = [f"not shown: {counted(len(names) - len(filled), 'field')}, null in all of them"] * (filled != names)
    notes += [f"{counted(len(filled) - len(rows), 'field')} whose type says what values are like"] * (rows != filled)
    if len(names) < len(found.types):
        notes.append(f"{len(names)} of {len(found.types)} fields were asked for, as many as fit into a REST query")
    print_facts([("Sample", "; ".join([counted(len(records), "record"), *notes]))])
    shown = _as_it_is if show_values else hidden
    print_table(
        ["Field", "Type", *(f"Record {place}" for place in range(1, len(records) + 1))],
        [[name, found.types[name], *(shown(record[name]) for record in records)] for name in rows],
    )


def _way_in_words(found: StreamCheck) -> str:
    if not found.plan.is_bulk:
        return "REST queries, since Bulk refuses the object"
    windows = f", one for each window of {found.window_days:g} days" if found.jobs > 1 else ""
    return f"{counted(found.jobs, 'query job')} ({operation(found)}){windows}"


def _estimate_in_words(made: Estimate) -> str:
    time = f"{'at least ' if made.is_at_least else 'about '}{duration(made.seconds)}"
    return f"{time}, {counted(made.pages, 'page')}, {counted(made.api_calls, 'API call')}"


def _as_it_is(value: Any) -> str:
    return "null" if value is None else str(value)


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
    if allowed is not None and needed > allowed and not findings.reached:
        yield f"the sync needs about {number(needed)} API calls, but may use {number(allowed)}: several runs"


def _api_calls(streams: list[StreamCheck]) -> int:
    return sum(found.estimate.api_calls for found in streams)
