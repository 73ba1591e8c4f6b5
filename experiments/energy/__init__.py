"""Experiments that count and price whole models."""
