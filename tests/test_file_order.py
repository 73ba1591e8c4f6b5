"""What is found in folders is in the order of the names, whatever order the file system has."""

from pathlib import Path

import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.papers.published import published_names
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import PLATFORM, platforms
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.names.libraries import read_library
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.results.folders import ResultFolder, open_results
from bitjoule.sim.accelerator.configurations import shipped_configurations, shipped_linears
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.quality.tables import shipped_tables
from bitjoule.sim.training.paragraphs import RECIPES
from bitjoule.sim.training.shipped import shipped_trainings
from bitjoule.sim.training.texts import docstrings

LISTS = (
    published_names, PLATFORM.names, platforms.__wrapped__, presets.__wrapped__, technologies.__wrapped__,
    shipped_configurations, shipped_linears, shipped_models, shipped_tables, shipped_trainings, shipped_experiments,
)  # fmt: skip
NAMES = ("d", "a", "e", "c", "b")


def let_files_come(patch, reverse):
    """Let every folder give its files in the order of their names, or in the reverse."""
    for name in ("glob", "rglob", "iterdir"):
        own = getattr(Path, name)
        patch.setattr(Path, name, lambda self, *args, own=own: iter(sorted(own(self, *args), reverse=reverse)))


@pytest.fixture(params=[False, True], ids=["in order", "in reverse"])
def in_order(request, monkeypatch):
    let_files_come(monkeypatch, request.param)


def test_what_ships_is_listed_in_one_order():
    found = []
    for reverse in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            let_files_come(patch, reverse)
            found.append([list(names()) for names in LISTS])
    assert found[0] == found[1]


@pytest.mark.usefixtures("in_order")
def test_files_of_a_pattern_of_libraries_are_ordered_by_name(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.lib").write_text("")
    (tmp_path / "x.yaml").write_text("gates: {libraries: [['*.lib']]}\n")
    lookup = Lookup(read_document(tmp_path / "x.yaml"), [], {})
    found = read_library(lookup, ["*.lib"], ("gates", "libraries", 0))
    assert found == [str(tmp_path / f"{name}.lib") for name in sorted(NAMES)]


@pytest.mark.usefixtures("in_order")
def test_tables_and_pictures_of_a_result_are_ordered_by_name_and_number(tmp_path):
    stems = ("sizes", "sizes_2", "sizes_10", "bars", "bars_dark")
    for stem in stems:
        (tmp_path / f"{stem}.svg").write_text("")
        (tmp_path / f"{stem}.csv").write_text("a\n")
    folder = ResultFolder(tmp_path, {}, "", "", {})
    assert [path.stem for path in folder.pictures] == ["bars", "sizes", "sizes_2", "sizes_10"]
    assert list(folder.files) == [path.stem for path in sorted(tmp_path / f"{stem}.csv" for stem in stems)]


@pytest.mark.usefixtures("in_order")
def test_results_of_a_folder_are_opened_in_the_order_of_their_names(tmp_path):
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").write_text('{"versions": {}, "outputs": {}}')
        (folder / "experiment.yaml").write_text(f"name: {name}\n")
        (folder / "summary.md").write_text("")
    assert [result.name for result in open_results([tmp_path])] == sorted(NAMES)


@pytest.mark.usefixtures("in_order")
def test_paragraphs_of_a_text_are_in_the_order_of_the_files(tmp_path):
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f'"""Of {name}."""\n')
    train, held_out = docstrings({"made": tmp_path}, RECIPES["blocks"])
    found = [block.split()[1] for part in (train, held_out) for block in part.decode().split("\n\n") if block]
    assert sorted(found) == [f"{name}." for name in sorted(NAMES)]
    for part in (train, held_out):
        assert part.decode().split("\n\n") == sorted(part.decode().split("\n\n"))
