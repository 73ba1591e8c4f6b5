"""Experiment files as their readers take them."""

from collections.abc import Sequence
from pathlib import Path

from bitjoule.energy_models.documents import Document
from bitjoule.experiments.reader import open_experiment


def opened(path: Path, overrides: Sequence[str] = ()) -> tuple[Document, Path]:
    """Return an experiment's document and file."""
    return open_experiment(path, overrides), path
