"""From the org's describes to the catalog: which objects there are, their schemas, and what the catalog selects."""
