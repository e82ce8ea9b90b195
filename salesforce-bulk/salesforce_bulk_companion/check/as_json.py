"""What `check` has found, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from salesforce_bulk_companion.advice import advice_on
from salesforce_bulk_companion.check.report import Report, hidden, operation

if TYPE_CHECKING:
    from salesforce_bulk_companion.check.streams import StreamCheck


class JsonReport(Report):
    """Prints one JSON document at the end."""

    def ends(self) -> None:
        """Print all findings."""
        click.echo(json.dumps(self._document(), indent=2, default=str))

    def _document(self) -> dict[str, Any]:
        findings = self._findings
        config, facts = findings.config, findings.facts
        document: dict[str, Any] = {"ok": findings.exit_code == 0, "settings": findings.source}
        if config:
            document["login"] = {"flow": config.auth_flow.value, "login_url": config.login_url}
        if facts:
            document["login"]["instance_url"] = facts.instance_url
            document["org"] = {"id": facts.org_id or None, **_snake(facts.org)}
            document["user"] = {"id": facts.user_id or None, **_snake(facts.user)}
            document["api"] = {"version": config and config.api_version, "newest": facts.versions[-1]}
        document["limits"] = [{**asdict(use), "is_reached": use.is_reached} for use in findings.limits]
        document["requests_of_one_run"] = findings.requests_of_one_run
        document["streams"] = [self._stream(each) for each in findings.streams]
        document["notes"] = findings.notes
        document["problems"] = [
            {"stream": where or None, "message": str(error), "advice": advice_on(error)}
            for where, error in findings.problems
        ]
        return {**document, "api_calls": findings.api_calls}

    def _stream(self, found: StreamCheck) -> dict[str, Any]:
        return {
            "stream": found.name,
            "records": found.rows,
            "soql": found.plan.soql,
            "operation": operation(found),
            "by": "bulk" if found.plan.is_bulk else "rest",
            "jobs": found.jobs,
            "estimate": asdict(found.estimate),
            "fields": found.types,
            "sample": [
                {name: value if self._show_values else hidden(value) for name, value in record.items()}
                for record in self._sample_of(found)
            ],
        }


def _snake(row: dict[str, Any] | None) -> dict[str, Any]:
    names = {
        "Name": "name",
        "OrganizationType": "type",
        "InstanceName": "instance",
        "IsSandbox": "is_sandbox",
        "Username": "username",
    }
    return {names[name]: value for name, value in (row or {}).items()}
