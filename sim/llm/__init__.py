"""BitNet transformers in NumPy, read from Hugging Face folders, their integer matmuls on a chosen engine."""
