"""Training experiments: what a step takes, and when lower energy of inference pays it back."""
