"""``python -m salesforce_bulk_simulator``."""

from .cli import main

main()
