"""The NumPy reference of a BitNet layer and of floating-point matmuls."""
