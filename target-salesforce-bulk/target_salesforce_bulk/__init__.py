"""The Singer target: records into Salesforce by Bulk API 2.0 ingest jobs, with one outcome for each."""
