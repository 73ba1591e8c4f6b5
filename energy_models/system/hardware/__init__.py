"""A platform loaded: arrays with their prices, the role that each array plays, the lines of a step."""
