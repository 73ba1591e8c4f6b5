"""The committed tables of the shipped experiments are those of a fresh run, and their pictures are there."""

from pathlib import Path

import pytest

from bitjoule.execution import read
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.output.tables import write_csv
from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Silent
from bitjoule.reports.figures.markdown import MAX_ROWS
from bitjoule.writing import run
from tests.sampling import sampled

GALLERY = Path(__file__).parents[2] / "reports" / "gallery"
TABLES = ("summary", "published")
QUICK = [name for kind in ("energy", "prices", "hardware") for name in shipped_experiments(kind)]
# Minutes of synthesis each.
NETLISTS = [name for name in shipped_experiments("netlists") if (GALLERY / name).is_dir()]


def test_every_shipped_experiment_is_in_the_gallery_and_nothing_else():
    assert {path.name for path in GALLERY.iterdir()} == {*QUICK, *NETLISTS}


@pytest.mark.parametrize("name", [*QUICK, *sampled(NETLISTS, 1, "experiments on netlists that are run anew")])
def test_a_fresh_run_gives_the_committed_tables_and_every_picture_is_there_for_both_backgrounds(tmp_path, name):
    task = read(name)
    kind, outcome = kinds()[task.kind].kind, run(task, Silent())
    for table in TABLES:
        if table in outcome.tables:
            write_csv(outcome.tables[table], tmp_path / f"{table}.csv")
    (tmp_path / "summary.md").write_text(kind.summary(outcome, MAX_ROWS))
    committed = {path.name for path in (GALLERY / name).iterdir() if path.suffix != ".png"}
    assert committed == {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_text() == (GALLERY / name / path.name).read_text(), f"{path.name}: run `make gallery`"
    pictures = {f"{stem}{theme}.png" for stem in kind.pictures(outcome) for theme in ("", "_dark")}
    assert {path.name for path in (GALLERY / name).glob("*.png")} == pictures, "run `make gallery`"
