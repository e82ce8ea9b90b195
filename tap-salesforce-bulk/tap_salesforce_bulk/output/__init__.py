"""From result pages to what the tap writes: values, RECORD lines, and BATCH files."""
