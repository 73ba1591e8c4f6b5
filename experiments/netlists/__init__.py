"""Experiments that measure arrays on their netlists."""
