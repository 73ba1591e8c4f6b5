"""Experiments on ways to serve requests."""
