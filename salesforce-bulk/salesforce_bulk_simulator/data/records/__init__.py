"""The rules of records: what a create, update, upsert or delete requires, and what Salesforce fills in."""
