"""The REST API: versions, describe, limits, query, and records one by one or in collections."""
