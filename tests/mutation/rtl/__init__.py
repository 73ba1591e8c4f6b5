"""Faults that Yosys puts into the accelerator's netlist by a seed, and which of them the shipped testbench finds."""
