"""Reading an object: what to ask for, the query jobs that answer it, and how far a run has come."""
