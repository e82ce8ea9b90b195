"""The outcome of each record: matched, recorded, counted and summed up."""
