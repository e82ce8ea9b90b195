"""Bulk API 2.0: jobs, how fast they progress, and the requests for them."""
