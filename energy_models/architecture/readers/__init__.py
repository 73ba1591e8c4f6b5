"""Readers of a Hugging Face configuration: model types and rules as data, layer patterns."""
