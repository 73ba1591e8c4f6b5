"""Training files and texts for tests."""

from pathlib import Path
from typing import Any

import numpy as np

from bitjoule.energy_models.inputs.documents import parse_document, read_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.sim.training.config import TrainingFile, read_training

SENTENCES = (
    "The sum of the elements over the axis. ", "Return the index of the array. ", "A label of each row is given. ",
)  # fmt: skip


def document_of(**changes: Any) -> dict[str, Any]:
    """A tiny training; keys with two underscores lead into a section."""
    data: dict[str, Any] = {
        "name": "tiny",
        "model": {"layers": 2, "hidden": 32, "ffn": 64, "heads": 2},
        "weights": "ternary",
        "corpus": {"train": ["train.txt"], "held_out": ["held_out.txt"]},
        "training": {"tokens": 4096, "batch_tokens": 256, "context": 64, "warm_up_steps": 4, "learning_rate": 0.01},
        "evaluation_tokens": 1024,
        "log_steps": 3,
    }
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = data
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return data


def training_file(folder: Path, **changes: Any) -> TrainingFile:
    """The same, checked, with its texts in a folder."""
    write_texts(folder)
    path = folder / "tiny.yaml"
    path.write_text(write_yaml(document_of(**changes), 110), encoding="utf-8")
    return read_training(read_document(path))


def wrong(**changes: Any) -> str:
    """What is said of a wrong file."""
    try:
        read_training(parse_document(write_yaml(document_of(**changes), 110), "x.yaml"))
    except InputError as error:
        return str(error)
    return ""


def write_texts(folder: Path) -> None:
    """Two texts of the same sentences in different orders."""
    for seed, (name, count) in enumerate((("train", 400), ("held_out", 100))):
        order = np.random.default_rng(seed).integers(len(SENTENCES), size=count)
        (folder / f"{name}.txt").write_text("".join(SENTENCES[i] for i in order), encoding="ascii")
