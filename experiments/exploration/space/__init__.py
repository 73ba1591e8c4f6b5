"""The space of an exploration: knobs, the designs that they make, metrics and constraints."""
