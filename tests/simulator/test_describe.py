"""Versions, describe global, describe and limits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import requests
from salesforce_bulk_simulator import Org, running

from .api import Api

RECORDED = Path(os.environ.get("SALESFORCE_DESCRIBES", Path(__file__).parents[3] / "shared" / "describes"))
"""A folder of describe answers recorded from real orgs; the tests that need it are skipped without it."""


def test_versions_need_no_session(url: str) -> None:
    """Oldest first, with the release's name."""
    versions = requests.get(f"{url}/services/data/", timeout=30).json()

    assert versions[0] == {"label": "Spring '14", "url": "/services/data/v31.0", "version": "31.0"} | versions[0]
    assert versions[-4:] == [
        {"label": "Summer '25", "url": "/services/data/v64.0", "version": "64.0"},
        {"label": "Winter '26", "url": "/services/data/v65.0", "version": "65.0"},
        {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"},
        {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"},
    ]


def test_describe_global_lists_every_object(api: Api) -> None:
    """Summaries without fields, with the addresses of more."""
    answer = api("GET", "sobjects").json()

    assert (answer["encoding"], answer["maxBatchSize"]) == ("UTF-8", 200)
    by_name = {each["name"]: each for each in answer["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Event", "User", "LoginHistory"} <= set(
        by_name
    )
    assert by_name["Account"]["urls"]["describe"] == "/services/data/v66.0/sobjects/Account/describe"
    assert by_name["ActivityHistory"]["queryable"] is False
    assert "fields" not in by_name["Account"]


def test_an_unknown_object_is_not_found(api: Api) -> None:
    """404, in Salesforce's words."""
    answer = api("GET", "sobjects/Nonsense/describe")

    assert (answer.status_code, answer.json()) == (
        404,
        [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}],
    )


def test_every_object_has_the_master_record_type(api: Api, org: Org) -> None:
    """With its layout, of the version asked for."""
    for name in (each.name for each in org.objects.values()):
        (master,) = api("GET", f"sobjects/{name}/describe").json()["recordTypeInfos"]
        assert master == {
            "active": True,
            "available": True,
            "defaultRecordTypeMapping": True,
            "developerName": "Master",
            "master": True,
            "name": "Master",
            "recordTypeId": "012000000000000AAA",
            "urls": {"layout": f"/services/data/v66.0/sobjects/{name}/describe/layouts/012000000000000AAA"},
        }


def test_recorded_record_types_are_kept(tmp_path: Path) -> None:
    """Only where there are none is Master put in."""
    describe = dict(Org().sobject("Account").describe)
    (tmp_path / "Account.json").write_text(json.dumps(describe | {"recordTypeInfos": [{"name": "Household"}]}))
    (tmp_path / "Lead.json").write_text(json.dumps(dict(Org().sobject("Lead").describe) | {"recordTypeInfos": []}))

    with running(Org(describes=tmp_path)) as url:
        api = Api(url)
        names = [
            [each["name"] for each in api("GET", f"sobjects/{name}/describe").json()["recordTypeInfos"]]
            for name in ("Account", "Lead")
        ]
        api.session.close()

    assert names == [["Household"], ["Master"]]


def test_the_version_root_lists_what_is_served(api: Api) -> None:
    """No address in it is a 404, nor is one below the lists that it leads to."""
    root = api("GET", "").json()
    below = [address for name in ("jobs", "composite") for address in api("GET", root[name]).json().values()]

    assert {"sobjects", "query", "queryAll", "limits", "jobs", "composite", "identity"} <= set(root)
    for address in (*root.values(), *below):
        assert api("GET", address.removeprefix(api.url)).status_code != 404, address


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded describes here")
@pytest.mark.parametrize("name", ["Account", "Contact", "Lead", "Opportunity"])
def test_a_generated_describe_is_like_a_recorded_one(api: Api, name: str) -> None:
    """The same keys in each field, and for the fields that both have the same type, sizes and permissions."""
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    ours = api("GET", f"sobjects/{name}/describe").json()

    assert set(recorded) <= set(ours)
    by_name: dict[str, Any] = {field["name"]: field for field in ours["fields"]}
    shared = [field for field in recorded["fields"] if field["name"] in by_name]
    assert len(shared) > 30
    keys = ("type", "soapType", "nillable", "createable", "updateable", "filterable", "sortable", "scale", "precision")
    keys += ("digits", "idLookup", "relationshipName", "referenceTo", "polymorphicForeignKey", "calculated", "custom")
    for field in shared:
        assert set(field) <= set(by_name[field["name"]])
        assert {key: field[key] for key in keys} == {key: by_name[field["name"]][key] for key in keys}


def test_limits_count_down(api: Api, org: Org) -> None:
    """Every request costs one, and every answer says how many were used."""
    answer = api("GET", "limits")
    used = org.limits["DailyApiRequests"].used

    assert answer.json()["DailyApiRequests"] == {"Max": 100_000, "Remaining": 100_000 - used}
    assert answer.headers["Sforce-Limit-Info"] == f"api-usage={used}/100000"
    assert "Sforce-Limit-Info" not in requests.get(f"{api.url}/services/data", timeout=30).headers


def test_used_up_requests_are_refused(api: Api, org: Org) -> None:
    """403 for everything, until the day is over."""
    org.limits["DailyApiRequests"].used = 100_000

    answer = api("GET", "limits")

    assert (answer.status_code, answer.json()) == (
        403,
        [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    )


def test_record_counts_leave_unknown_objects_out(api: Api, org: Org) -> None:
    """Deleted rows do not count."""
    ids = org.insert("Account", [{"Name": "Ada"}, {"Name": "Bob"}])
    org.delete("Account", ids[:1])

    assert api("GET", "limits/recordCount?sObjects=Account,Nonsense").json() == {
        "sObjects": [{"count": 1, "name": "Account"}]
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/services/data/v66.0/nonsense", 404, "NOT_FOUND"),
        ("GET", "/services/data/v66.0//limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v30.0/limits", 410, "UNSUPPORTED_API_VERSION"),
        ("GET", "/services/data/v99.0/limits", 404, "NOT_FOUND"),
        ("GET", "/services/data/v57.0/jobs/query/750SIM000000001YBA/resultPages", 404, "NOT_FOUND"),
        ("POST", "/services/data/v66.0/limits", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/services/data/v66.0/jobs/query", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
def test_a_wrong_address_is_refused(api: Api, method: str, path: str, status: int, code: str) -> None:
    """Unknown, doubled slash, retired or future version, wrong method, wrong media type."""
    answer = api(method, path, data="x" if method == "POST" else None)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)


@pytest.mark.parametrize(
    ("header", "code"), [("Bearer nonsense", "INVALID_SESSION_ID"), ("Magic x", "INVALID_AUTH_HEADER")]
)
def test_a_request_needs_a_session(url: str, header: str, code: str) -> None:
    """401, with or without a header that means something."""
    answer = requests.get(f"{url}/services/data/v66.0/limits", headers={"Authorization": header}, timeout=30)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, code)


def test_the_versions_root_says_who_asks(api: Api, org: Org) -> None:
    """``identity`` is a whole address, that of the user in the org; the other entries are paths."""
    answer = api("GET", f"{api.base}/").json()

    assert answer["identity"] == f"{api.url}/id/{org.org_id}/{org.user_id}"
    assert answer["limits"] == "/services/data/v66.0/limits"


def test_an_org_describes_itself(api: Api, org: Org) -> None:
    """One row, which nobody can make or delete."""
    answer = api("GET", "query", params={"q": "SELECT Id, Name, IsSandbox, InstanceName FROM Organization"}).json()
    (row,) = answer["records"]
    flags = api("GET", "sobjects/Organization/describe").json()

    assert (row["Id"], row["Name"], row["IsSandbox"], row["InstanceName"]) == (
        org.org_id,
        "Simulated Org",
        False,
        "SIM1",
    )
    assert (flags["createable"], flags["deletable"], flags["queryable"]) == (False, False, True)
