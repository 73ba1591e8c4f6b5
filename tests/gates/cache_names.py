"""The names under which results are kept in the cache, asked for without computing anything."""

from types import ModuleType

import pytest

from tests.gates import hand_made as hand


def namer(monkeypatch, module: ModuleType, function):
    """Return a function that gives the name in the cache of what a module's function would compute."""

    def ask(name, _):
        raise LookupError(name)

    monkeypatch.setattr(module, "cached", ask)

    def name(*arguments):
        with pytest.raises(LookupError) as asked:
            function(*arguments)
        return str(asked.value)

    return name


def two_libraries(folder):
    """Return the hand-made library, and one in which a cell has another area."""
    (folder / "other").mkdir()
    other = hand.library(folder / "other", content=hand.text().replace("area : 1.5", "area : 1.6"))
    return hand.library(folder), other
