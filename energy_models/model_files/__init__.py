"""Files of trained models: their headers, tensor types and values."""
