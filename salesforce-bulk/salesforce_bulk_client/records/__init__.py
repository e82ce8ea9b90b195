"""Records as rows of job data, and rows of result files as records again: nothing of Singer."""
