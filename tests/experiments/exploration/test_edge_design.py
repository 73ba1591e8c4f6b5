"""The space of `edge_design`, enumerated once by benchmarks/exploration.py, and what the search finds of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.exploration.dominance import hypervolume, reference_of
from bitjoule.experiments.exploration.evaluation import evaluate
from bitjoule.experiments.exploration.resolve import resolve
from bitjoule.experiments.exploration.scores import scores_of
from bitjoule.experiments.files import open_experiment
from tests.sampling import sampled

ROOT = Path(__file__).parents[3]
SPACE = pd.read_csv(ROOT / "benchmarks" / "edge_design_space.csv").iloc[0]
FRONT = pd.read_csv(ROOT / "benchmarks" / "edge_design_pareto.csv")
SEARCHES = pd.read_csv(ROOT / "benchmarks" / "exploration.csv")
OBJECTIVES = ["energy_j", "latency_s", "area_mm2"]
REFERENCE = np.array([SPACE[f"reference_{name}"] for name in OBJECTIVES])
ANEW = "run benchmarks/exploration.py"


@pytest.fixture(scope="module")
def work():
    return resolve(open_experiment("edge_design"))


def test_the_enumerated_space_is_that_of_the_shipped_experiment(work):
    assert work.space.digest == SPACE["space_sha256"], ANEW
    assert len(work.space) == SPACE["designs"] >= 20_000
    assert len(work.space.knobs) >= 5
    assert work.experiment.explore.objectives == OBJECTIVES
    assert work.experiment.explore.budget == len(work.space) // 10


def test_the_committed_hypervolume_is_that_of_the_committed_set():
    front = FRONT[OBJECTIVES].to_numpy()
    assert len(front) == SPACE["pareto"]
    np.testing.assert_allclose(reference_of(front), REFERENCE, rtol=1e-12)
    assert hypervolume(front, REFERENCE) == pytest.approx(SPACE["hypervolume"], rel=1e-9)


def test_a_tenth_of_the_designs_has_nearly_all_of_the_hypervolume_with_the_worst_seed():
    search, random = (SEARCHES[SEARCHES["sampler"] == name].set_index("seed") for name in ("nsga2", "random"))
    assert search.index.tolist() == random.index.tolist() == list(range(5))
    assert (SEARCHES["designs"] <= SPACE["designs"] / 10).all()
    assert search["hypervolume_share"].min() >= 0.99
    assert (search["hypervolume_share"] > random["hypervolume_share"]).all()


@pytest.mark.parametrize("row", sampled(map(str, range(len(FRONT))), 2, "members of the Pareto set of edge_design"))
def test_a_member_evaluated_anew_has_the_committed_objectives(work, row):
    member = FRONT.iloc[int(row)]
    explored = work.experiment.explore
    evaluations = evaluate(work.base, work.space, [int(member["design"])])
    scores = scores_of(evaluations, explored.objectives, explored.limits)
    np.testing.assert_allclose(scores.objectives[0], member[OBJECTIVES].to_numpy(float), rtol=1e-9, err_msg=ANEW)
    assert scores.feasible.all()


def test_the_gallery_has_as_much():
    found = pd.read_csv(ROOT / "reports" / "gallery" / "edge_design" / "pareto.csv")
    summary = pd.read_csv(ROOT / "reports" / "gallery" / "edge_design" / "summary.csv").iloc[0]
    assert summary["searched"] == SPACE["designs"] // 10
    assert hypervolume(found[OBJECTIVES].to_numpy(), REFERENCE) / SPACE["hypervolume"] >= 0.99
