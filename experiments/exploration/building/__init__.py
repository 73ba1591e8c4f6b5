"""From a design of an exploration to hardware: its configuration, Verilog, verification and synthesis."""
