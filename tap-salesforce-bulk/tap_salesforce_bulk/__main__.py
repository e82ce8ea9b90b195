"""``python -m tap_salesforce_bulk``."""

from __future__ import annotations

from tap_salesforce_bulk.tap import TapSalesforceBulk

TapSalesforceBulk.cli()
