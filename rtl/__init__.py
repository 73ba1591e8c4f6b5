"""The hardware, in Amaranth: the adder-only accelerator will stand here. Imports nothing of ours."""
