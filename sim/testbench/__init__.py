"""A testbench to take away: stimulus and expected results as files, and drivers that need nothing of bitjoule."""
