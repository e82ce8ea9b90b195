"""The switches of an org's behaviour: one for each way in which Salesforce is awkward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _switch(help_text: str, *, default: Any) -> Any:
    """Return a field of Switches; its help text appears in ``--help`` and in the README."""
    return field(default=default, metadata={"help": help_text})


@dataclass(kw_only=True, eq=False)
class Switches:
    """Arguments and attributes of ``Org``, and options of the command: ``token_life_s`` is ``--token-life-s``."""

    shuffle: bool = _switch(
        "Return the rows of results in no particular order, unless the query has ORDER BY.", default=True
    )
    reorder_columns: bool = _switch("Return the columns of failedResults in alphabetical order.", default=True)
    gzip_results: bool = _switch("Compress responses if the request accepts gzip.", default=True)
    quote_nulls: bool = _switch('Write a null in query results as "" instead of an empty cell.', default=True)
    ints_as_decimals: bool = _switch("Write int values in query results with a decimal point: 7.0.", default=False)
    lower_case_headers: bool = _switch("Send header names in lower case, as some proxies do.", default=False)
    line_ends_in_quotes: bool = _switch(
        "Check line endings inside quoted values, too: fail the job if they differ from its lineEnding.", default=False
    )
    not_ready_status: int = _switch(
        "Status of a request for the results of an unfinished query job: 204 or 412.", default=204
    )
    default_max_records: int = _switch("Rows of a result page if the request does not set maxRecords.", default=50_000)
    jobs_per_list_page: int = _switch("Jobs on one page of a list of jobs.", default=1000)
    token_life_s: float = _switch("Seconds until an unused session expires.", default=7200.0)
    rotate_refresh_tokens: bool = _switch(
        "Return a new refresh token at every use, and revoke the old one.", default=False
    )
    allows_hard_delete: bool = _switch("Allow hardDelete jobs.", default=True)
    stamp_delay_s: float = _switch(
        "Seconds between a row's SystemModstamp and the moment at which the row becomes visible.",
        default=0.0,
    )
    keeps_history: bool = _switch("Keep every change of a row in Org.history, in memory.", default=False)
    person_accounts: bool = _switch("Enable person accounts: accounts with FirstName and LastName.", default=False)
    seed: int = _switch("Seed of the order of rows and of generated rows.", default=1)
