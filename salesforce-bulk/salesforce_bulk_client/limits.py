"""Every number of Salesforce's that the client keeps to, with the page it comes from.

"Bulk guide" is the *Bulk API 2.0 and Bulk API Developer Guide* (Spring '26, v66), "Limits" the
*App Limits Cheat Sheet*, "REST guide" the *REST API Developer Guide*.
"""

from __future__ import annotations

from typing import Final

DEFAULT_API_VERSION: Final = "66.0"
"""The newest version whose guide was read whole while this was written."""

FIRST_API_VERSION: Final = 47.0
"""Bulk 2.0 query jobs exist since Winter '20 (Bulk guide, "Query Jobs")."""

LAST_SOAP_LOGIN_VERSION: Final = "64.0"
"""SOAP ``login()`` is gone from 65.0 on, and retired for good in Summer '27 (SOAP guide, "login()")."""

FIRST_RESULT_PAGES_VERSION: Final = 58.0
"""``resultPages`` exists since Summer '23 (Bulk guide, "Get Parallel Results")."""

MAX_JOB_DATA_BYTES: Final = 100_000_000
"""Salesforce takes 150 MB per job counted after base64, so 100 MB of CSV (Limits, "Bulk API 2.0")."""

MAX_FIELD_CHARACTERS: Final = 131_072
"""Longest text of one field in job data (Limits, "Bulk API 2.0")."""

MAX_RECORD_CHARACTERS: Final = 400_000
"""Longest record in job data (Limits, "Bulk API 2.0")."""

MAX_RECORD_FIELDS: Final = 5_000
"""Most fields of one record in job data (Limits, "Bulk API 2.0")."""

MAX_COLLECTION_RECORDS: Final = 200
"""Most records in one sObject Collections request (REST guide, "sObject Collections")."""

MAX_URI_BYTES: Final = 16_384
"""A longer URI answers 414 (REST guide, "Request URI limits")."""

NULL_IN_JOB_DATA: Final = "#N/A"
"""A cell with this text clears the field; an empty cell leaves it (Bulk guide, "Prepare CSV Files")."""

LOCATOR_AT_THE_END: Final = "null"
"""``Sforce-Locator`` of the last page: literally this text (Bulk guide, "Get Results for a Query Job")."""

JWT_LIFETIME_S: Final = 180
"""Every client that was read sets a JWT's ``exp`` three minutes ahead; Salesforce names no ceiling."""
