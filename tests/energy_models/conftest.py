"""What tests of several fact files need."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bitjoule.energy_models.inputs.errors import InputError


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that reads a fact file with wrong rows and gives the message behind the file's name."""

    def refused(module: ModuleType, constant: str, columns: tuple[str, ...], rows: str, read: Any) -> str:
        path = tmp_path / "facts.csv"
        path.write_text(",".join(columns) + "\n" + rows + "\n")
        monkeypatch.setattr(module, constant, path)
        with pytest.raises(InputError) as error:
            read.__wrapped__()
        return str(error.value).removeprefix(f"{path}:")

    return refused
