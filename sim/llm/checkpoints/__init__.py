"""Readers of checkpoints: safetensors and GGUF, configurations, packed and quantised weights."""
