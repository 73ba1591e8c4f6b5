"""Operands that an array is measured with."""
