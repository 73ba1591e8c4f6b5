"""Tables and plots of energy experiments."""
