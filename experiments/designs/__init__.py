"""Experiments that compare published accelerators with predictions from their parameters."""
