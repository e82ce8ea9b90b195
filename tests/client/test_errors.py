"""Answers with an error status, and what they mean to the caller."""

from __future__ import annotations

import json

import pytest
import requests
from salesforce_bulk_client import NotFound, QuotaExceeded, RequestRefused, ServerBusy, SessionExpired
from salesforce_bulk_client.errors import ApiError, error_from_response


def answer(status: int, body: str, **headers: str) -> requests.Response:
    """An answer as requests gives it."""
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update(headers)
    return response


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, '[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]', SessionExpired,
         "INVALID_SESSION_ID"),
        (401, '{"errorCode":"INVALID_SESSION_ID","message":"This session is not valid for use with the REST API"}',
         RequestRefused, "INVALID_SESSION_ID"),
        (403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]', QuotaExceeded,
         "REQUEST_LIMIT_EXCEEDED"),
        (403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests Limit exceeded."}]', ServerBusy,
         "REQUEST_LIMIT_EXCEEDED"),
        (400, '[{"errorCode":"LIMIT_EXCEEDED","message":"Max bulk v2 query jobs (10000) per 24 hrs has been reached"}]',
         QuotaExceeded, "LIMIT_EXCEEDED"),
        (400, '[{"errorCode":"EXCEEDEDQUOTA","message":"ExceededQuota : jobs"}]', QuotaExceeded, "EXCEEDEDQUOTA"),
        (400, '[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access"}]', ServerBusy,
         "UNABLE_TO_LOCK_ROW"),
        (400, '[{"errorCode":"QUERY_TIMEOUT","message":"too complicated"}]', ServerBusy, "QUERY_TIMEOUT"),
        (400, '[{"errorCode":"SERVER_UNAVAILABLE","message":"try later"}]', ServerBusy, "SERVER_UNAVAILABLE"),
        (502, "", ServerBusy, ""),
        (504, "", ServerBusy, ""),
        (301, "", RequestRefused, ""),
        (302, "<html>moved</html>", RequestRefused, ""),
        (400, '[{"errorCode":"MALFORMED_QUERY","message":"unexpected token"}]', RequestRefused, "MALFORMED_QUERY"),
        (400, '{"error":"invalid_grant","error_description":"expired access/refresh token"}', RequestRefused,
         "invalid_grant"),
        (404, '[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]', NotFound, "NOT_FOUND"),
        (404, '{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}', NotFound, "NOT_FOUND"),
        (404, '{"error":"invalid_grant","error_description":"no such user"}', NotFound, "invalid_grant"),
        (404, "<html><h1>Not Found</h1></html>", ServerBusy, ""),
        (404, "", ServerBusy, ""),
        (404, "[]", ServerBusy, ""),
        (404, '{"status":404,"error":"Not Found","message":"no route","path":"/limits"}', ServerBusy, ""),
        (412, '[{"errorCode":"JOB_NOT_COMPLETE","message":"can only download"}]', ServerBusy, "JOB_NOT_COMPLETE"),
        (503, "<html><h1>Service Unavailable</h1></html>", ServerBusy, ""),
        (406, "", ServerBusy, ""),
        (420, "<html>setting things up</html>", ServerBusy, ""),
        (401, '[{"errorCode":"INVALID_SESSION_ID","message":"Connected app is not attached to Agent"}]',
         RequestRefused, "INVALID_SESSION_ID"),
        (500, "<x><faultcode>sf:INVALID_LOGIN</faultcode> <faultstring>INVALID_LOGIN: no</faultstring></x>", ServerBusy,
         "INVALID_LOGIN"),
        (500, "[" * 100_000, ServerBusy, ""),
        (431, "<h1>Bad Message 431</h1>", RequestRefused, ""),
        (400, "[]", RequestRefused, ""),
        (400, '"odd"', RequestRefused, ""),
    ],
)  # fmt: skip
def test_an_error_is_classed_by_what_the_caller_does(status: int, body: str, kind: type[ApiError], code: str) -> None:
    """Salesforce's code decides; its text only where one code stands for two things."""
    error = error_from_response(answer(status, body), request="GET limits")

    assert (type(error), error.code) == (kind, code)
    assert str(error).startswith(f"GET limits answered {status} ")


def test_an_error_page_in_another_encoding_is_an_error_page() -> None:
    """Its bytes may be no UTF-8, also inside what looks like JSON."""
    response = answer(503, "")
    response._content = '{"message":"Le serveur est indisponible: réessayez"}'.encode("latin-1")

    error = error_from_response(response, request="GET limits")

    assert (type(error), error.message) == (ServerBusy, "no JSON, but a page of a gateway")


@pytest.mark.parametrize(
    ("status", "is_redirect"), [(300, False), (301, True), (302, True), (303, True), (307, True), (308, True)]
)
def test_a_redirect_names_the_host_and_the_setting(status: int, *, is_redirect: bool) -> None:
    """All but 300, with which Salesforce answers that several records have an external id."""
    body = '["/services/data/v66.0/sobjects/Account/001000000000001AAA"]'
    response = answer(status, body, Location="https://new.my.salesforce.com/services/data")

    error = error_from_response(response, request="GET limits")

    assert type(error) is RequestRefused
    assert error.message.startswith("it redirects to new.my.salesforce.com, which is not followed") is is_redirect


@pytest.mark.parametrize(
    ("message", "quota"),
    [
        ("TotalRequests Limit exceeded.", "DailyApiRequests"),
        ("Max bulk v2 query jobs (10000) per 24 hrs has been reached", "DailyBulkV2QueryJobs"),
        ("Max bulk v2 query result size stored (1000000000) kb per 24 hrs has", "DailyBulkV2QueryFileStorageMB"),
        ("ExceededQuota : jobs", "a daily limit of the org"),
    ],
)
def test_a_used_up_limit_is_named(message: str, quota: str) -> None:
    """By the name that it has among the org's limits, where Salesforce's words tell it."""
    body = json.dumps([{"errorCode": "LIMIT_EXCEEDED", "message": message}])

    error = error_from_response(answer(400, body), request="POST jobs/query")

    assert isinstance(error, QuotaExceeded)
    assert error.quota == quota


def test_retry_after_is_kept() -> None:
    """The server's own wish for the next try."""
    error = error_from_response(answer(429, "", **{"Retry-After": "7"}), request="GET limits")

    assert error.retry_after_s == 7
