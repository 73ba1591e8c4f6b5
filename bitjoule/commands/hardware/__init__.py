"""``bitjoule rtl``: the accelerator generated, verified, simulated, synthesised, as a platform, and of a design."""
