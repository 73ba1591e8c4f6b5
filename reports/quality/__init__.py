"""Summaries and pictures of quality experiments."""
