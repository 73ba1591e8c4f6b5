"""Experiments on machines that others measured."""
