"""Readers of other tools' files: architectures become platforms, topologies become matmuls."""
