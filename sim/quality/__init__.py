"""What models that were trained here came to: their tables, scaling laws, and losses at equal energy."""
