"""A platform as data: its schema and defaults, memory accesses, channels, static power and silicon."""
