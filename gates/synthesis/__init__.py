"""From Verilog to a netlist in a library's cells."""
