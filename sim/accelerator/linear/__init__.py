"""Whole BitLinears as a compiled program, and as what runs the linears of a model."""
