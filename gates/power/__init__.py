"""Energy of a netlist: activity, internal and switching energy, by part; a cross-check with OpenSTA."""
