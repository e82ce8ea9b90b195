"""What people change between the two rounds, in the warehouse and in Salesforce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from salesforce_bulk_client import SalesforceClient

RENAMED_AIRLINE = ("9E", "Endeavor Air (Delta Connection)")


@dataclass(frozen=True, kw_only=True)
class Flights:
    """Keys of three flights that are in Salesforce, each of which is changed in another way."""

    corrected: str
    given_a_gate: str
    deleted: str


def change_warehouse(database_url: str) -> tuple[Flights, int]:
    """Add the airport San Juan, which the data set lacks, and correct a flight.

    Gives the flights that are changed, and the number of flights to San Juan, which are to be sent again.
    """
    now = datetime.now(UTC).replace(microsecond=0)  # Salesforce keeps no parts of a second
    with psycopg.connect(database_url) as connection:
        corrected, given_a_gate, deleted = (
            key
            for (key,) in connection.execute(
                """
                SELECT flight_key
                FROM warehouse.flights AS flight
                JOIN warehouse.planes USING (tailnum)
                JOIN warehouse.airports ON faa = dest
                WHERE arrival_delay_min IS NOT NULL
                ORDER BY flight.updated_at
                LIMIT 3
                """
            )
        )
        connection.execute(
            """
            INSERT INTO warehouse.airports (faa, name, latitude, longitude, altitude_ft, time_zone, updated_at)
            VALUES ('SJU', 'Luis Munoz Marin Intl', 18.4394, -66.0018, 9, 'America/Puerto_Rico', %s)
            """,
            [now],
        )
        to_san_juan = connection.execute(
            "UPDATE warehouse.flights SET updated_at = %s WHERE dest = 'SJU'", [now]
        ).rowcount
        connection.execute(
            """
            UPDATE warehouse.flights
            SET arrival_delay_min = arrival_delay_min + 60, air_time_min = NULL, updated_at = %s
            WHERE flight_key = %s
            """,
            [now, corrected],
        )
    return Flights(corrected=corrected, given_a_gate=given_a_gate, deleted=deleted), to_san_juan


def change_salesforce(client: SalesforceClient, *, flights: Flights) -> None:
    """Rename an airline, which the warehouse names otherwise; give a flight a gate; delete a flight."""
    code, name = RENAMED_AIRLINE
    client.send_json("PATCH", f"sobjects/Airline__c/Code__c/{code}", {"Name": name})
    client.send_json("PATCH", f"sobjects/Flight__c/Flight_Key__c/{flights.given_a_gate}", {"Gate__c": "B42"})
    query = f"SELECT Id FROM Flight__c WHERE Flight_Key__c = '{flights.deleted}'"
    (found,) = client.get_json("query", params={"q": query})["records"]
    client.delete(f"sobjects/Flight__c/{found['Id']}")
