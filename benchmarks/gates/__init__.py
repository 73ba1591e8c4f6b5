"""Area, critical path and energy of a synchronous Verilog design in a Liberty library."""
