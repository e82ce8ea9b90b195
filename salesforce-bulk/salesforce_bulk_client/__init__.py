"""A client for the Salesforce Bulk API 2.0: logging in, describe, limits, query jobs and ingest jobs."""

from salesforce_bulk_client.auth import Session
from salesforce_bulk_client.client import ApiUsage, Limit, SalesforceClient
from salesforce_bulk_client.config import CONNECTION_PROPERTIES, AuthFlow, ConnectionConfig
from salesforce_bulk_client.describe import Field, SObjectDescribe, SObjectSummary, describe, describe_global
from salesforce_bulk_client.errors import (
    ApiError,
    BrokenAnswer,
    ConfigError,
    ConnectionFailed,
    IncompleteResults,
    JobAborted,
    JobError,
    JobFailed,
    JobGone,
    JobTimedOut,
    LoginError,
    NotFound,
    QuotaError,
    QuotaExceeded,
    QuotaReached,
    RequestRefused,
    SalesforceError,
    ServerBusy,
    SessionExpired,
)
from salesforce_bulk_client.ingest import IngestJob, IngestSpec, Operation, ResultKind
from salesforce_bulk_client.job_data import JobData
from salesforce_bulk_client.jobs import JobInfo, JobState, PollPolicy, list_job_answers, list_jobs
from salesforce_bulk_client.private_files import for_owner
from salesforce_bulk_client.query import QueryJob
from salesforce_bulk_client.rest_query import query_records
from salesforce_bulk_client.result_pages import Locator, ResultPage
from salesforce_bulk_client.retries import RetryPolicy

__all__ = [
    "CONNECTION_PROPERTIES",
    "ApiError",
    "ApiUsage",
    "AuthFlow",
    "BrokenAnswer",
    "ConfigError",
    "ConnectionConfig",
    "ConnectionFailed",
    "Field",
    "IncompleteResults",
    "IngestJob",
    "IngestSpec",
    "JobAborted",
    "JobData",
    "JobError",
    "JobFailed",
    "JobGone",
    "JobInfo",
    "JobState",
    "JobTimedOut",
    "Limit",
    "Locator",
    "LoginError",
    "NotFound",
    "Operation",
    "PollPolicy",
    "QueryJob",
    "QuotaError",
    "QuotaExceeded",
    "QuotaReached",
    "RequestRefused",
    "ResultKind",
    "ResultPage",
    "RetryPolicy",
    "SObjectDescribe",
    "SObjectSummary",
    "SalesforceClient",
    "SalesforceError",
    "ServerBusy",
    "Session",
    "SessionExpired",
    "describe",
    "describe_global",
    "for_owner",
    "list_job_answers",
    "list_jobs",
    "query_records",
]
