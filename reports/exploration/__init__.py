"""Summaries and pictures of explorations."""
