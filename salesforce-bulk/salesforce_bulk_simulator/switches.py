"""The switches of an org's behaviour: where Salesforce is awkward, so is the org, and each awkwardness has one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def _switch(told: str, *, default: Any) -> Any:
    """Return a field of Switches; the text tells what it does, in the program's help and in the README."""
    return field(default=default, metadata={"help": told})


@dataclass(kw_only=True, eq=False)
class Switches:
    """Arguments of ``Org``, its attributes, and options of the program: ``token_life_s`` is ``--token-life-s``."""

    shuffle: bool = _switch("Give the rows of results in no order, unless the query has one.", default=True)
    reorder_columns: bool = _switch("Give the columns of failedResults in alphabetical order.", default=True)
    gzip_results: bool = _switch("Compress answers where the request accepts gzip.", default=True)
    quote_nulls: bool = _switch('Write a null in query results as "", not as nothing between the commas.', default=True)
    ints_as_decimals: bool = _switch("Write int values in query results with a fraction, 7.0.", default=False)
    lower_case_headers: bool = _switch("Send header names in lower case, as some proxies do.", default=False)
    line_ends_in_quotes: bool = _switch(
        "Fail job data for line ends inside quoted values, too, if they are not the job's.", default=False
    )
    not_ready_status: int = _switch("Answer to a call for the results of an unfinished query: 204 or 412.", default=204)
    default_max_records: int = _switch("Rows of a result page when the request names no maxRecords.", default=50_000)
    jobs_per_list_page: int = _switch("Jobs of one page of a list of jobs.", default=1000)
    token_life_s: float = _switch("Seconds that a session lives without use.", default=7200.0)
    rotate_refresh_tokens: bool = _switch("Give a new refresh token at every use; the old one dies.", default=False)
    allows_hard_delete: bool = _switch("Let the user hard-delete.", default=True)
    stamp_delay_s: float = _switch(
        "Seconds by which a row's stamps are older than the moment from which it can be seen.",
        default=0.0,
    )
    keeps_history: bool = _switch("Keep each change of a row in Org.history; it grows with the rows.", default=False)
    person_accounts: bool = _switch("Let accounts be persons, with FirstName and LastName.", default=False)
    seed: int = _switch("Another order of rows, and other made rows.", default=1)
