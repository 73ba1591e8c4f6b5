"""Search against enumeration: how much of the hypervolume of `edge_design` a tenth of its designs has.

Run: ``python benchmarks/exploration.py [FOLDER]`` (half an hour on two cores; FOLDER keeps what is evaluated, so that
an interrupted run goes on). Every design of the space is evaluated once. Writes edge_design_space.csv, the space as a
hash with its hypervolume, edge_design_pareto.csv, its Pareto set, and exploration.csv: for each sampler and seed, the
share of the hypervolume and of the Pareto set that as many distinct designs as a tenth of the space have.

The reference lies a tenth of the range of the whole space's Pareto set beyond its worst values.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from bitjoule.experiments.exploration.dominance import hypervolume, reference_of
from bitjoule.experiments.exploration.evaluator import Evaluator, mapper
from bitjoule.experiments.exploration.resolve import resolve
from bitjoule.experiments.exploration.run import key_of
from bitjoule.experiments.exploration.scores import Scores, scores_of
from bitjoule.experiments.exploration.search import GRID_BATCH, search
from bitjoule.experiments.files import open_experiment

NAME, SEEDS, SHARE = "edge_design", range(5), 10
FOLDER = Path(__file__).parent


def enumerated(folder: Path) -> tuple[Scores, str]:
    """Return the scores of every design of the space, and the digest of the space."""
    work = resolve(open_experiment(NAME))
    explored, space = work.experiment.explore, work.space
    begun = time.monotonic()
    parts = []
    with mapper(len(os.sched_getaffinity(0))) as evaluates:
        evaluator = Evaluator(work.base, space, evaluates, folder, key_of(work))
        for start in range(0, len(space), GRID_BATCH):
            values = evaluator(range(start, min(start + GRID_BATCH, len(space))))
            assert values is not None
            parts.append(scores_of(values, explored.objectives, explored.limits))
            print(f"{start} of {len(space)}, {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return Scores.joined(parts), space.digest


def searched(scores: Scores, sampler: str, seed: int) -> list[int]:
    """Return the designs that a search evaluates with a tenth of the space as its budget."""
    work = resolve(open_experiment(NAME))
    explored, designs = work.experiment.explore, len(work.space)
    numbers: list[int] = []

    def score(batch: Sequence[int]) -> Scores:
        numbers.extend(batch)
        return scores.of(batch)

    settings = SimpleNamespace(sampler=sampler, seed=seed, budget=designs // SHARE, batch=explored.batch)
    search(settings, work.space, score, len(explored.objectives))
    assert len(numbers) == len(set(numbers)) == designs // SHARE
    return numbers


def main(folder: Path) -> None:
    """Enumerate, search and write the tables."""
    scores, digest = enumerated(folder)
    objectives = resolve(open_experiment(NAME)).experiment.explore.objectives
    front = scores.objectives[scores.front]
    reference = reference_of(front)
    whole = hypervolume(front, reference)
    row = {
        "experiment": NAME, "space_sha256": digest,
        "objectives_sha256": hashlib.sha256(np.ascontiguousarray(scores.objectives).tobytes()).hexdigest(),
        "designs": len(scores.finite), "no_result": int((~scores.finite).sum()), "feasible": int(scores.feasible.sum()),
        "pareto": len(front), "distinct": len(np.unique(front, axis=0)), "hypervolume": whole,
        **{f"reference_{name}": corner for name, corner in zip(objectives, reference.tolist(), strict=True)},
    }  # fmt: skip
    pd.DataFrame([row]).to_csv(FOLDER / "edge_design_space.csv", index=False, lineterminator="\n")
    members = pd.DataFrame(front, columns=list(objectives))
    members.insert(0, "design", np.flatnonzero(scores.front))
    members.to_csv(FOLDER / "edge_design_pareto.csv", index=False, lineterminator="\n")
    rows = []
    for sampler in ("nsga2", "random"):
        for seed in SEEDS:
            numbers = searched(scores, sampler, seed)
            ours = scores.of(numbers)
            found = np.flatnonzero(ours.front)
            share = hypervolume(ours.objectives[found], reference) / whole
            members_found = int(scores.front[np.array(numbers)[found]].sum())
            rows.append((sampler, seed, len(numbers), share, members_found, members_found / len(front)))
    columns = ["sampler", "seed", "designs", "hypervolume_share", "pareto_found", "pareto_share"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(FOLDER / "exploration.csv", index=False, lineterminator="\n")
    print(table.to_markdown(index=False))
    worst = table.groupby("sampler", sort=False)[["hypervolume_share", "pareto_share"]].min()
    print(worst.to_markdown())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary) / "edge_design")
