"""The committed tables of the shipped experiments are those of a fresh run, and their pictures are there."""

import csv
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.system.platform.value_sources import NONE_GIVEN
from bitjoule.execution import read
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.output.tables import write_csv
from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Silent
from bitjoule.reports.figures.markdown import MAX_ROWS
from bitjoule.writing import run
from tests.experiments.shipped import outcome_of
from tests.sampling import sampled

GALLERY = Path(__file__).parents[2] / "reports" / "gallery"
TABLES = ("summary", "published", "dram", "steady", "accuracies", "pareto", "laws", "equal_loss")
LONG_TABLES = ("headline",)  # whose long table is kept, too
KINDS = ("designs", "energy", "measured", "prices", "quality", "serving", "training", "hardware", "exploration")
QUICK = [name for kind in KINDS for name in shipped_experiments(kind)]
COMPILED = shipped_experiments("hardware")  # a simulator is built
SEARCHED = ("edge_design",)  # thousands of designs: a minute or two
NETLISTS = shipped_experiments("netlists")  # minutes of synthesis each
ROWS = [
    f"{name} {row}"
    for name in NETLISTS
    for row, _ in enumerate((GALLERY / name / "summary.csv").read_text().splitlines()[1:])
]


def test_every_shipped_experiment_is_in_the_gallery_and_nothing_else():
    assert {path.name for path in GALLERY.iterdir()} == {*QUICK, *NETLISTS}


@pytest.mark.parametrize("name", [*QUICK, *NETLISTS])
def test_every_amount_and_price_of_a_shipped_experiment_has_a_source(name):
    assert NONE_GIVEN not in (GALLERY / name / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *(
            pytest.param(name, marks=[pytest.mark.slow] * (name in COMPILED) + [pytest.mark.dear] * (name in SEARCHED))
            for name in QUICK
        ),
        *(pytest.param(name, marks=pytest.mark.dear) for name in NETLISTS),
    ],
)
def test_a_fresh_run_gives_the_committed_tables_and_every_picture_is_there_for_both_backgrounds(tmp_path, name):
    kind, outcome = kinds()[read(name).kind].kind, outcome_of(name)
    for table in (*TABLES, *["results"] * (name in LONG_TABLES)):
        if table in outcome.tables:
            write_csv(outcome.tables[table], tmp_path / f"{table}.csv")
    (tmp_path / "summary.md").write_text(kind.summary(outcome, MAX_ROWS))
    committed = {path.name for path in (GALLERY / name).iterdir() if path.suffix != ".png"}
    assert committed == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_text() == (GALLERY / name / path.name).read_text(), f"{path.name}: run `make gallery`"
    pictures = {f"{stem}{theme}.png" for stem in kind.pictures(outcome) for theme in ("", "_dark")}
    assert {path.name for path in (GALLERY / name).glob("*.png")} == pictures, "run `make gallery`"


@pytest.mark.slow
@pytest.mark.parametrize("row", sampled(ROWS, 1, "netlists of the gallery"))
def test_a_netlist_measured_anew_gives_the_committed_row(tmp_path, row):
    """Only the first of an array's netlists: the others differ in names alone and take as long."""
    name, place = row.split()
    with (GALLERY / name / "summary.csv").open() as handle:
        committed = list(csv.DictReader(handle))[int(place)]
    document = yaml.safe_load(NETLISTS[name].read_text())
    (array,) = (array for array in document["gates"]["arrays"] if array["name"] == committed["array"])
    array.pop("stimuli", None)
    document["gates"] |= {"arrays": [array], "stimuli": [committed["stimulus"]], "netlists": 1}
    del document["plots"]
    write_csv(run(read(document), Silent()).tables["summary"], tmp_path / "summary.csv")
    with (tmp_path / "summary.csv").open() as handle:
        (found,) = csv.DictReader(handle)
    spread = {"netlists", *(column for column in found if "_least_" in column or "_greatest_" in column)}
    assert len(spread) == 7
    expected = {column: value for column, value in committed.items() if column not in spread}
    assert {column: value for column, value in found.items() if column not in spread} == expected, "run `make gallery`"
