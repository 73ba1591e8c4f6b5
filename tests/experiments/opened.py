"""Experiment files as their readers take them."""

from collections.abc import Sequence
from pathlib import Path

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.experiments.files import open_experiment


def opened(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Return an experiment's document."""
    return open_experiment(path, overrides)
