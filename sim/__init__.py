"""The NumPy reference, the Verilated hardware and the cycle model will stand here. Imports rtl and energy_models."""
