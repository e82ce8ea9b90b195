"""The rows of one job: which go together, their files, and what earlier runs know of them."""
