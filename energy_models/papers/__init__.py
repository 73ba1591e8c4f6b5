"""What the papers count: arithmetic operations, memory footprints, scaling laws, published numbers."""
