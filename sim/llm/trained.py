"""The trained models that ship."""

from pathlib import Path

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.energy_models.inputs.validation import unknown_name

FOLDER = Path(__file__).parents[1] / "models"


def shipped_models() -> dict[str, Path]:
    """Return the folder of every shipped model, by name."""
    return {path.parent.name: path.parent for path in sorted(FOLDER.glob("*/config.json"))}


def find_model(name: str) -> Path:
    """Return the folder of a shipped model.

    Parameters
    ----------
    name
        The model's.

    Raises
    ------
    InputError
        None has that name.
    """
    shipped = shipped_models()
    if name not in shipped:
        raise InputError([Problem("show", 1, "checkpoint", *unknown_name("checkpoint", name, shipped))])
    return shipped[name]


def described_models() -> list[tuple[str, str, int, float]]:
    """Return name, weights, parameters and held-out loss (nats a byte) of every shipped model."""
    rows = []
    for name, folder in shipped_models().items():
        extension = read_json(folder / "config.json", name).data["bitjoule"]
        weights, loss = str(extension["weights"]), float(extension["held_out_nats_per_byte"])
        rows.append((name, weights, read_config(folder).parameters, loss))
    return rows
