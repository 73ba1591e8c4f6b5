"""Runs an exploration: evaluates designs, varies the best one knob at a time, and makes the tables."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.platform.static_power import leaks
from bitjoule.experiments.energy.tables.families import families
from bitjoule.experiments.exploration.dominance import hypervolume, reference_of
from bitjoule.experiments.exploration.evaluator import Evaluator, mapper
from bitjoule.experiments.exploration.resolve import ExplorationInput
from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.scores import Scores, scores_of
from bitjoule.experiments.exploration.search import PACKAGES, search
from bitjoule.experiments.exploration.space.conditions import Nearest, nearest
from bitjoule.experiments.exploration.space.metrics import METRICS, minimised
from bitjoule.experiments.exploration.tables import (
    FAILED,
    FRONT,
    INFEASIBLE,
    STATUSES,
    UNDECIDED,
    Evaluated,
    best_row,
    case_table,
    constraint_table,
    design_table,
    knob_table,
    sensitivity_table,
    statuses,
)

LEAKING = (  # keys that change what leaks
    "accelerator.", "platform.arrays.", "platform.buffers.", "platform.levels.", "platform.vector.",
)  # fmt: skip
Progress = Callable[[int, int, str], None]
Warn = Callable[[str], None]


def key_of(work: ExplorationInput) -> dict[str, str]:
    """Return what the values of an exploration's designs depend on, for its journal.

    Parameters
    ----------
    work
        From `bitjoule.experiments.exploration.resolve.resolve`.
    """
    written = work.experiment.model_dump(mode="json", exclude={"plots", "description"})
    digest = hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
    data = hashlib.sha256()
    for path in sorted(path for path in DATA.rglob("*") if path.is_file()):
        data.update(fingerprint(path).encode())
    version = str(sys.modules["bitjoule"].__version__)
    return {
        "bitjoule": version,
        "data": data.hexdigest(),
        "experiment": digest,
        "inputs": json.dumps(dict(work.inputs)),
    }


def explore(work: ExplorationInput, progress: Progress, warn: Warn) -> ExplorationResult:
    """Explore a space.

    Parameters
    ----------
    work
        From `bitjoule.experiments.exploration.resolve.resolve`.
    progress, warn
        Receive the progress and the warnings.
    """
    explored, space = work.experiment.explore, work.space
    for line in fixed_leakage(work):
        warn(line)
    objectives, limits = tuple(explored.objectives), explored.limits
    total = min(explored.budget, len(space))
    parts: list[Scores] = []
    with mapper(work.jobs, work.scheduler) as evaluates:
        evaluator = Evaluator(work.base, space, evaluates, work.folder, key_of(work))

        def score(numbers: Sequence[int]) -> Scores:
            progress(len(evaluator), total, "designs")
            values = evaluator(numbers)
            assert values is not None  # noqa: S101 (the search proposes no design twice)
            parts.append(scores_of(values, objectives, limits))
            return parts[-1]

        def evaluated() -> Evaluated:
            parts[:] = [Scores.joined(parts)]
            return Evaluated(space, tuple(work.base.models), objectives, limits, evaluator.evaluations, parts[0])

        search(explored, space, score, len(objectives))
        searched = len(evaluator)
        designs = evaluated()
        best = best_row(designs, explored.best)
        varied: set[int] = set()
        while best is not None and (number := int(designs.evaluations.numbers[best])) not in varied:
            varied.add(number)
            new = [each for _, _, each in space.variations(number) if each not in evaluator.rows]
            if new:
                score(list(dict.fromkeys(new)))
                designs = evaluated()
                best = best_row(designs, explored.best)
    progress(total, total, "")
    return _result(work, designs, best, searched, warn)


def fixed_leakage(work: ExplorationInput) -> Iterator[str]:
    """Yield a line for each machine whose leakage is a number although knobs change what leaks.

    Parameters
    ----------
    work
        From `bitjoule.experiments.exploration.resolve.resolve`.
    """
    keys = [key for knob in work.space.knobs for key in knob.keys]
    if not any(key.startswith(LEAKING) for key in keys):
        return
    for name, platform in work.base.platforms.items():
        for technology in work.base.technologies.values():
            node = platform.nodes.get(technology.name) or platform.nodes.get(technology.node)
            if node is not None and not isinstance(node.leakage_w, str) and leaks(node.leakage_w):
                place = f"platform {name}: leakage_w at {technology.name}"
                yield f"{place} is a number, which knobs do not change; from_configuration follows them"


def _result(
    work: ExplorationInput, designs: Evaluated, best: int | None, searched: int, warn: Warn
) -> ExplorationResult:
    status = statuses(designs)
    table = design_table(designs, status)
    front = designs.scores.front
    pareto = table[front].drop(columns=["status", "problem"])
    number = None if best is None else int(designs.evaluations.numbers[best])
    pareto = pareto.assign(best=pareto["design"] == number)
    pareto = pareto.sort_values([designs.objectives[0], "design"], kind="stable", ignore_index=True)
    variations = pd.DataFrame() if best is None else knob_table(designs, table, best)
    text = "" if best is not None else _nearest_text(designs)
    _warn_of_failures(table, designs.objectives, warn)
    return ExplorationResult(
        experiment=work.experiment,
        knobs={knob.name: tuple(map(knob.label, range(len(knob)))) for knob in work.space.knobs},
        summary=_summary(work, designs, status, number, searched, warn),
        designs=table,
        pareto=pareto,
        cases=case_table(designs),
        variations=variations,
        sensitivity=pd.DataFrame() if best is None else sensitivity_table(variations, designs.objectives),
        constraints=constraint_table(designs),
        settings=pd.DataFrame(
            work.space.indices(designs.evaluations.numbers), columns=[knob.name for knob in work.space.knobs]
        ),
        formats=families(work.base.schemes),
        best=number,
        nearest=text,
    )


def _summary(
    work: ExplorationInput, designs: Evaluated, status: NDArray[np.int64],
    best: int | None, searched: int, warn: Warn,
) -> pd.DataFrame:  # fmt: skip
    """Return counts of designs and the hypervolume of the Pareto set."""
    counts = {name: int((status == code).sum()) for code, name in enumerate(STATUSES)}
    explored = work.experiment.explore
    row: dict[str, object] = {
        "experiment": work.experiment.name,
        "designs": len(work.space),
        "searched": searched,
        "evaluated": len(designs.evaluations),
        "no_result": counts[FAILED],
        "infeasible": counts[INFEASIBLE],
        "feasible": len(status) - counts[FAILED] - counts[INFEASIBLE],
        "pareto": counts[FRONT],
        "undecided": counts[UNDECIDED],
        "best": pd.NA if best is None else best,
        "hypervolume": np.nan,
    }
    values = designs.scores.objectives[designs.scores.front]
    if len(values):
        reference = reference_of(values)
        if explored.reference is not None:
            given = explored.reference
            reference = np.array(
                [minimised(name, np.asarray(given[name], dtype=np.float64)) for name in designs.objectives]
            )
        signs = [-1.0 if METRICS[name].maximised else 1.0 for name in designs.objectives]
        row |= {
            f"reference_{name}": sign * value
            for name, sign, value in zip(designs.objectives, signs, reference.tolist(), strict=True)
        }
        if find_spec("moocore") is None:
            warn(f"no hypervolume: moocore is not installed ({PACKAGES})")
        elif not (values < reference).all(axis=1).any():
            warn("no hypervolume: no design of the Pareto set lies within explore.reference")
        else:
            row["hypervolume"] = hypervolume(values, reference)
    return pd.DataFrame([row])


def _warn_of_failures(table: pd.DataFrame, objectives: Sequence[str], warn: Warn) -> None:
    """Warn of designs without a result, by reason."""
    failed = table[table["status"] == FAILED]
    reasons = failed["problem"].where(failed["problem"] != "", "a metric is not finite")
    for reason, count in reasons.value_counts().head(5).items():
        missing = [] if reason != "a metric is not finite" else [n for n in objectives if failed[n].isna().any()]
        warn(f"{count} designs have no result: {reason}{f' ({chr(44).join(missing)})' if missing else ''}")


def _nearest_text(designs: Evaluated) -> str:
    """Return which constraint is nearest to being met, and by how much it is missed."""
    scores = designs.scores
    if not designs.limits or not scores.finite.any():
        return "No design has a result."
    excesses = np.where(scores.finite[:, None], scores.excesses, np.inf)
    found = nearest(scores.limited, excesses)
    return "No design has a result." if found is None else _sentence(designs, found)


def _sentence(designs: Evaluated, found: Nearest) -> str:
    limit = designs.limits[found.constraint]
    unit = METRICS[limit.metric].unit
    number = int(designs.evaluations.numbers[found.design])
    value = f"{found.value:.4g}{f' {unit}' if unit else ''}"
    of_limit = f"{100 * found.excess:.3g} % of the limit" if limit.limit else f"{found.excess:.3g}"
    text = f"No design meets all constraints. Nearest to being met is {limit}: design {number} has {value}"
    if found.alone:
        return f"{text}, which misses it by {of_limit}, and meets all others."
    return f"{text}, which misses it by {of_limit}, the largest of what it misses; no design misses one alone."
