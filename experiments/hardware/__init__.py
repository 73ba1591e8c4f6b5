"""Experiments on the simulated accelerator."""
