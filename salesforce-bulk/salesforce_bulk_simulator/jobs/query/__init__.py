"""Query jobs: their requests, and their results page by page."""
