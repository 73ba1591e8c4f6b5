"""Liberty files: text, cells, tables, conditions, wires, and what a library must contain."""
