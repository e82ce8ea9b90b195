"""Answers with an error status, and what they mean to the caller."""

from __future__ import annotations

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


def test_retry_after_is_kept() -> None:
    """The server's own wish for the next try."""
    error = error_from_response(answer(429, "", **{"Retry-After": "7"}), request="GET limits")

    assert error.retry_after_s == 7
