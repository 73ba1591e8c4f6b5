"""The cocotb bench: cases, simulators, verification against NumPy."""
