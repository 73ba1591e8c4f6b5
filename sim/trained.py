"""The trained models that ship."""

from pathlib import Path

FOLDER = Path(__file__).parent / "models"


def shipped_models() -> dict[str, Path]:
    """Return the folder of every shipped model, by name."""
    return {path.parent.name: path.parent for path in sorted(FOLDER.glob("*/config.json"))}
