"""The committed tables of the shipped experiments are those of a fresh run, and their pictures are there."""

from pathlib import Path

import pytest

from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.output.tables import write_csv
from bitjoule.experiments.prices.schema import read_prices_experiment
from bitjoule.experiments.prices.table import prices_table
from bitjoule.reports.energy.pictures import file_stems
from bitjoule.reports.energy.summary import summary_markdown
from bitjoule.reports.prices import prices_markdown
from tests.experiments.opened import opened

PRICES = "measured_vs_table"
GALLERY = Path(__file__).parents[2] / "reports" / "gallery"


def test_every_shipped_experiment_is_in_the_gallery_and_nothing_else():
    assert {path.name for path in GALLERY.iterdir()} == {*shipped_experiments("energy"), PRICES}


@pytest.mark.parametrize("name", shipped_experiments("energy"))
def test_a_fresh_run_gives_the_committed_tables_and_every_picture_is_there_for_both_backgrounds(tmp_path, name):
    result = run(read_experiment(shipped_experiments("energy")[name]))
    write_csv([result.summary], tmp_path / "summary.csv")
    (tmp_path / "summary.md").write_text(summary_markdown(result))
    if result.compared:
        write_csv([result.comparison], tmp_path / "published.csv")
    committed = {path.name for path in (GALLERY / name).iterdir() if path.suffix != ".png"}
    assert committed == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_text() == (GALLERY / name / path.name).read_text(), f"{path.name}: run `make gallery`"
    pictures = {f"{stem}{theme}.png" for stem in file_stems(result) for theme in ("", "_dark")}
    assert {path.name for path in (GALLERY / name).glob("*.png")} == pictures, "run `make gallery`"


def test_a_fresh_comparison_of_prices_gives_the_committed_tables(tmp_path):
    given = read_prices_experiment(opened(shipped_experiments()[PRICES]))
    table = prices_table(given)
    write_csv([table], tmp_path / "summary.csv")
    (tmp_path / "summary.md").write_text(prices_markdown(given.experiment.name, given.experiment.description, table))
    for name in ("summary.csv", "summary.md"):
        assert (tmp_path / name).read_text() == (GALLERY / PRICES / name).read_text(), f"{name}: run `make gallery`"
    assert {path.name for path in (GALLERY / PRICES).glob("*.png")} == {"ratios.png", "ratios_dark.png"}
