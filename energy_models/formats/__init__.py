"""Number formats: one table, from which everything that names a format is derived."""
