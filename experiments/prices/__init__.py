"""Experiments that compare prices of operations."""
