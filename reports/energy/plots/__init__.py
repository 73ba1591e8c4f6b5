"""The plots of energy experiments, one module each, found by entry point or name."""
