"""Commands that list and show built-in entries, and write files to start from."""
