"""The CSV formats of jobs: column delimiters and line endings."""

from __future__ import annotations

from typing import Any

from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.json_parser import json_text

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}


LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


def check_format(body: dict[str, Any]) -> tuple[str, str]:
    """Return the column delimiter and line ending of a new job, by name.

    Raises:
        RequestRefused: one of them, or the content type, is unknown.
    """
    choices = {
        "contentType": (body.get("contentType", "CSV"), ["CSV"]),
        "columnDelimiter": (body.get("columnDelimiter", "COMMA"), list(DELIMITERS)),
        "lineEnding": (body.get("lineEnding", "LF"), list(LINE_ENDINGS)),
    }
    for key, (value, allowed) in choices.items():
        if value not in allowed:
            message = f"{key}: {json_text(value)} is not one of {', '.join(allowed)}"
            raise RequestRefused(400, "INVALIDJOB", f"InvalidJob : {message}")
    return choices["columnDelimiter"][0], choices["lineEnding"][0]
