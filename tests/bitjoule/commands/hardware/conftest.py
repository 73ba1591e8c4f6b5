"""The file of a small array, in an empty folder."""

import pytest

from tests.bitjoule.commands.hardware.printed import ARRAY


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(ARRAY)
    return file
