"""The least that a target does, a program: ``python -m tests.benchmarks.floor_of_target FOLDER < INPUT``.

The plain loop: one `msgspec.json.decode` and one csv.writer row per record, into files of 100,000 rows. Nothing is
checked, converted, kept for a crash, or sent.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import msgspec

ROWS_OF_A_FILE = 100_000


def main() -> None:
    """Write the records of standard input as CSV files."""
    folder = Path(sys.argv[1])
    decode = msgspec.json.Decoder().decode
    names: list[str] = []
    number_of_rows = 0
    file = None
    for line in sys.stdin.buffer:
        message = decode(line)
        if message["type"] == "SCHEMA":
            names = list(message["schema"]["properties"])
        elif message["type"] == "RECORD":
            if number_of_rows % ROWS_OF_A_FILE == 0:
                if file:
                    file.close()
                file = (folder / f"floor-{number_of_rows}.csv").open("w", newline="", encoding="utf-8")
                write = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow
                write(names)
            record = message["record"]
            write([record[name] for name in names])
            number_of_rows += 1
    if file:
        file.close()


if __name__ == "__main__":
    main()
