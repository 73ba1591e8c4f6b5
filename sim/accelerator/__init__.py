"""The accelerator in simulation: streams, cycles in closed form, the Verilated hardware and its build cache."""
