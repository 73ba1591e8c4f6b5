"""The accelerator on FPGAs: synthesis with Yosys, placement and routing with nextpnr."""
