"""Valid SOQL that the simulator does not support, and refuses by name."""

from __future__ import annotations

import re

UNSUPPORTED_FUNCTIONS = {
    *("TOLABEL", "FORMAT", "CONVERTCURRENCY", "CONVERTTIMEZONE", "DISTANCE", "GEOLOCATION", "GROUPING"),
    *("CALENDAR_MONTH", "CALENDAR_QUARTER", "CALENDAR_YEAR", "FISCAL_MONTH", "FISCAL_QUARTER", "FISCAL_YEAR"),
    *("DAY_IN_MONTH", "DAY_IN_WEEK", "DAY_IN_YEAR", "DAY_ONLY", "HOUR_IN_DAY", "WEEK_IN_MONTH", "WEEK_IN_YEAR"),
}
"""Functions (SOQL guide)."""
UNSUPPORTED_CLAUSES: dict[str, tuple[str, ...]] = {
    "USING": ("SCOPE",),
    "WITH": ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE", "DATA"),
    "FOR": ("VIEW", "REFERENCE", "UPDATE"),
    "UPDATE": ("TRACKING", "VIEWSTAT"),
}
"""Clauses, with the words that may follow (SOQL guide)."""
UNSUPPORTED_LITERAL = re.compile(
    r"(?:LAST|THIS|NEXT)_FISCAL_(?:QUARTER|YEAR)|(?:LAST|NEXT)_N_FISCAL_(?:QUARTER|YEAR)S:\d+"
    r"|N_FISCAL_(?:QUARTER|YEAR)S_AGO:\d+|[A-Z]{3}\d+"
)
"""Fiscal dates and amounts such as ``USD5000``."""
