"""What the DAGs share: running Singer programs, and the files between them."""
