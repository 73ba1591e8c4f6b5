"""Explorations: designs from a space of knobs, their Pareto set, and what each knob does."""
