"""``bitjoule rtl``: the accelerator generated, verified, simulated, synthesised, and as a platform."""
