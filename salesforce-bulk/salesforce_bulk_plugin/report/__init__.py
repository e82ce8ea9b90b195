"""The report of what runs of the target did: from the files that they leave, as a page, as text and as JSON."""
