"""The values of fields: in the database, as text, and in JSON."""
