"""What a request asks of a machine: its steps, the matmuls and elements of each, what a scheme adds."""
