"""What simple-salesforce sees: run by its own interpreter, prints one JSON object."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceMalformedRequest

USER: dict[str, Any] = {"username": "sim@example.com", "password": "sim-pass", "version": "64.0"}


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text, sorted."""
    return sorted(csv.DictReader(io.StringIO(text)), key=lambda row: tuple(row.values()))


seen: dict[str, Any] = {}

# login: SOAP, OAuth password, client credentials at My Domain, and a refusal
sf = Salesforce(security_token="sim-token", **USER)
seen["soap_instance"] = sf.sf_instance
by_password = Salesforce(
    username=USER["username"],
    password=USER["password"] + "sim-token",
    consumer_key="sim-client",
    consumer_secret="sim-secret",
)
by_client = Salesforce(consumer_key="sim-client", consumer_secret="sim-secret", domain="sim.my")
seen["sessions"] = [each.query("SELECT COUNT() FROM Account")["totalSize"] for each in (sf, by_password, by_client)]
try:
    Salesforce(username="sim@example.com", password="wrong", security_token="")
except SalesforceAuthenticationFailed as error:
    seen["refused_login"] = error.code

# describe and REST
seen["describe_global"] = "Account" in [each["name"] for each in sf.describe()["sobjects"]]
seen["describe"] = {field["name"]: field["type"] for field in sf.Account.describe()["fields"]}["AnnualRevenue"]
created = sf.Account.create({"Name": "Ada's", "External_Id__c": "rest-1"})
seen["created"] = created["success"]
seen["read"] = sf.Account.get(created["id"])["Name"]
seen["updated"] = sf.Account.update(created["id"], {"Name": "Ada"})
seen["upserted"] = sf.Account.upsert("External_Id__c/rest-1", {"Name": "Ada L"})
seen["query"] = sf.query("SELECT Name FROM Account WHERE External_Id__c = 'rest-1'")["records"][0]["Name"]
seen["deleted"] = sf.Account.delete(created["id"])
seen["limits"] = sf.limits()["DailyApiRequests"]["Max"]
seen["usage"] = sorted(sf.api_usage)
try:
    sf.query("SELECT Nope FROM Account")
except SalesforceMalformedRequest as error:
    seen["refused_query"] = error.content[0]["errorCode"]

# bulk 2.0: every operation, and the three result files
accounts = sf.bulk2.Account
data = [{"Name": f"A{number}", "External_Id__c": f"x{number}"} for number in range(5)]
(inserted,) = accounts.insert(records=[*data, {"Name": "", "External_Id__c": "x9"}], wait=0)
seen["insert"] = {key: value for key, value in inserted.items() if key != "job_id"}
successful = rows(accounts.get_successful_records(inserted["job_id"]))
ids = {row["External_Id__c"]: row["sf__Id"] for row in successful}
seen["successful"] = [[row["sf__Created"], row["Name"]] for row in successful]
seen["failed"] = [
    [row["sf__Error"], row["External_Id__c"]] for row in rows(accounts.get_failed_records(inserted["job_id"]))
]
seen["unprocessed"] = sorted(accounts.get_unprocessed_records(inserted["job_id"]).strip().split(","))
seen["all_results"] = {key: len(value) for key, value in accounts.get_all_ingest_records(inserted["job_id"]).items()}


def count(result: list[dict[str, Any]]) -> list[int]:
    """Return how many records were processed, and how many of them failed."""
    return [result[0]["numberRecordsProcessed"], result[0]["numberRecordsFailed"]]


seen["update"] = count(accounts.update(records=[{"Id": ids["x0"], "Name": "B0"}], wait=0))
upserts = [{"External_Id__c": "x1", "Name": "B1"}, {"External_Id__c": "x7", "Name": "B7"}]
seen["upsert"] = count(accounts.upsert(records=upserts, external_id_field="External_Id__c", wait=0))
seen["delete"] = count(accounts.delete(records=[{"Id": ids["x2"]}], wait=0))
seen["hard_delete"] = count(accounts.hard_delete(records=[{"Id": ids["x3"]}], wait=0))
soql = "SELECT External_Id__c, Name, IsDeleted FROM Account"
pages = list(accounts.query(soql, max_records=2, wait=0))
seen["query_pages"] = len(pages)
seen["query_rows"] = sorted(list(row.values()) for page in pages for row in rows(page))
seen["query_all_rows"] = sorted(list(row.values()) for page in accounts.query_all(soql, wait=0) for row in rows(page))
sys.stdout.write(json.dumps(seen))
