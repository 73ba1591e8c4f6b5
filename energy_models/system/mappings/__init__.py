"""Mappings of a matmul onto memories and arrays: their costs, bounds and search."""
