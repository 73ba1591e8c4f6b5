"""Folders and modules of the product: none holds more than a reader keeps in mind."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bitjoule", "energy_models", "experiments", "gates", "reports", "rtl", "sim")
FOLDERS = sorted({path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")})


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.relative_to(ROOT).as_posix() for folder in FOLDERS])
def test_a_folder_holds_at_most_fifteen_modules(folder):
    assert len([path for path in folder.glob("*.py") if path.stem not in {"__init__", "__main__"}]) <= 15


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.relative_to(ROOT).as_posix() for folder in FOLDERS])
def test_a_module_has_at_most_400_lines(folder):
    lines = {path.name: path.read_text(encoding="utf-8").count("\n") for path in folder.glob("*.py")}
    assert {name: count for name, count in lines.items() if count > 400} == {}
