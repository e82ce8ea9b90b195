"""Ingest jobs: their requests, job data and result files."""
