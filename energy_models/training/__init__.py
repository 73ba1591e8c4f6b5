"""Training: what a step takes on a machine, from the forward pass to the optimiser."""
