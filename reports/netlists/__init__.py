"""Tables and plots of experiments on netlists."""
