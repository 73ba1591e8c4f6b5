"""Output directories of runs, read again: for reports and comparisons."""
