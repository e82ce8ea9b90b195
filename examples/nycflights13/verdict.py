"""The verdict: every row of the warehouse against what came back from Salesforce."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from examples.nycflights13.warehouse import read_sql

KEYS = {"airlines": "carrier", "airports": "faa", "planes": "tailnum", "flights": "flight_key"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one table's rows; they are counted by key."""

    table: str
    in_warehouse: int
    refused: int
    """Rows that Salesforce refused the last time they were sent."""
    back: int
    """Rows that came back and are not deleted in Salesforce."""
    deleted: int
    """Rows that came back as deleted in Salesforce."""
    equal: int
    different: int
    lost: int
    """Rows that neither came back nor were refused, and rows that came back from nowhere: must be 0."""


def compare(url: str, *, refused: dict[str, set[str]]) -> list[Verdict]:
    """Compare the schemas "warehouse" and "salesforce" row by row; ``refused`` holds keys by table."""
    with psycopg.connect(url) as connection:
        connection.execute(read_sql("verdict.sql"))
        return [_compare_table(connection, table=table, refused=refused[table]) for table in KEYS]


def _compare_table(connection: psycopg.Connection, *, table: str, refused: set[str]) -> Verdict:
    query = sql.SQL(
        """
        WITH refused AS (SELECT unnest(%(refused)s::text[]) AS key),
        pairs AS (
            SELECT
                there.{key} AS key,
                back.{key} AS back_key,
                back.is_deleted AS is_deleted,
                to_jsonb(there) = to_jsonb(back) - 'is_deleted' AS is_equal,
                coalesce(there.{key}, back.{key}) IN (SELECT key FROM refused) AS is_refused
            FROM warehouse.{table} AS there FULL JOIN {back_table} AS back ON there.{key} = back.{key}
        )
        SELECT
            count(key),
            count(*) FILTER (WHERE is_refused),
            count(back_key) FILTER (WHERE NOT is_deleted),
            count(*) FILTER (WHERE is_deleted),
            count(*) FILTER (WHERE NOT is_deleted AND is_equal),
            count(*) FILTER (WHERE NOT is_deleted AND NOT is_equal),
            count(*) FILTER (WHERE key IS NULL OR (back_key IS NULL AND NOT is_refused))
        FROM pairs
        """
    ).format(key=sql.Identifier(KEYS[table]), table=sql.Identifier(table), back_table=sql.Identifier(f"back_{table}"))
    row = connection.execute(query, {"refused": sorted(refused)}).fetchone() or (0,) * 7
    names = ("in_warehouse", "refused", "back", "deleted", "equal", "different", "lost")
    return Verdict(table=table, **dict(zip(names, row, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What the target wrote in one or more runs."""

    counts: dict[str, Counter[str]]
    """By table, how many rows were created, updated, failed …"""
    reasons: Counter[str]
    """Why rows were refused: Salesforce's error code and message without the row's own values."""
    refused: dict[str, set[str]]
    """By table, the keys whose newest outcome is a refusal."""


def read_outcomes(files: list[Path]) -> Outcomes:
    """Read outcome files, oldest first."""
    counts: dict[str, Counter[str]] = {table: Counter() for table in KEYS}
    reasons: Counter[str] = Counter()
    refused: dict[str, set[str]] = {table: set() for table in KEYS}
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                outcome: dict[str, Any] = json.loads(line)
                table = outcome["stream"].removeprefix("warehouse-")
                key = outcome["key"][KEYS[table]]
                counts[table][outcome["status"]] += 1
                if outcome["status"] in ("failed", "unprocessed"):
                    reasons[f"{outcome['error_code']}: {without_values(outcome['error_message'])}"] += 1
                    refused[table].add(key)
                else:
                    refused[table].discard(key)
    return Outcomes(counts=counts, reasons=reasons, refused=refused)


def without_values(message: str) -> str:
    """Return an error message without the row's own value, so that equal reasons can be counted.

    >>> without_values("Foreign key external ID: n725mq not found for field Tailnum__c in entity Plane__c")
    'Foreign key external ID: … not found for field Tailnum__c in entity Plane__c'
    """
    return re.sub(r"(Foreign key external ID:) .* (not found)", r"\1 … \2", message)
