"""Batches loaded into Salesforce: ingest jobs, sObject Collections requests, and in which order."""
