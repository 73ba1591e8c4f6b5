"""Folders of the product: none holds more modules than a reader keeps in mind."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bitjoule", "energy_models", "experiments", "gates", "reports", "rtl", "sim")
FOLDERS = sorted({path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.relative_to(ROOT).as_posix() for folder in FOLDERS])
def test_a_folder_holds_at_most_fifteen_modules(folder):
    assert len([path for path in folder.glob("*.py") if path.stem not in {"__init__", "__main__"}]) <= 15
