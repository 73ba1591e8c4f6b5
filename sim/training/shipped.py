"""The training files that ship, and what the name or path of one refers to."""

from pathlib import Path

from bitjoule.energy_models.inputs.validation import named_file

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
    return named_file("training", argument, shipped_trainings())
