"""The training files that ship, and what the name or path of one refers to."""

import os
from pathlib import Path

from bitjoule.energy_models.inputs.documents import is_path
from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.energy_models.inputs.validation import unknown_name

FOLDER = Path(__file__).parent / "configs"


def shipped_trainings() -> dict[str, Path]:
    """Return the training files and ladders that ship, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find_training(argument: str) -> Path:
    """Return the file that a command-line argument refers to.

    Parameters
    ----------
    argument
        A file, or the name of one that ships.

    Raises
    ------
    InputError
        It is neither.
    """
    shipped = shipped_trainings()
    if is_path(argument) or os.path.isfile(argument):  # noqa: PTH113 (never raises)
        return Path(argument)
    if argument not in shipped:
        wrong, expected = unknown_name("training", argument, shipped)
        raise whole_file(argument or "''", wrong, f"a YAML file or {expected}")
    return shipped[argument]
