"""What operations, memory accesses and areas cost at a technology, each with its source."""
