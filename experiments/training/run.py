"""Trains the models of an experiment in every way: its tables."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PHASE_NAMES, PHASES, Cases
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.wording import memory_size
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.training.step import FORWARD, Trainer, TrainingStep
from bitjoule.experiments.training.resolve import TrainingInput

CASE = ("experiment", "model", "scheme", "technology", "platform", "way")
ENDS = ("low", "nominal", "high")
J_PER_PJ = 1e-12


class Tables(NamedTuple):
    """The tables of a training experiment.

    Parameters
    ----------
    summary
        A row for each case and way.
    passes
        Energy, time and MACs of each pass, by component.
    memory
        Bytes by content.
    """

    summary: pd.DataFrame
    passes: pd.DataFrame
    memory: pd.DataFrame


def tables(resolved: TrainingInput, warn: Callable[[str], None]) -> Tables:
    """Return the tables of a training experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.training.resolve`.
    warn
        Receives what is doubtful.
    """
    rows: list[dict[str, Any]] = []
    passes: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    experiment = resolved.experiment
    for model, scheme, technology, platform, way in _cases(resolved):
        name, machine = resolved.platforms[platform][scheme]
        options = resolved.ways[way]
        trainer = Trainer(
            name, machine, resolved.schemes[scheme], resolved.technologies[technology], options, experiment.objective,
            experiment.experts,
        )  # fmt: skip
        step = trainer.step(resolved.models[model])
        identity = dict(zip(CASE, (experiment.name, model, scheme, technology, platform, way), strict=True))
        needed, holds = sum(step.memory_bytes.values()), machine.off_chip.capacity_bytes
        if holds is not None and needed > holds:
            sizes = "; its memory holds ".join(map(memory_size, (needed, holds)))
            warn(f"training {model} in {scheme} on {name} ({way}) needs {sizes}")
        inference = _inference(resolved, model, scheme, technology)
        rows.append({**identity, **_figures(step, experiment.training.tokens), **inference})
        passes += [{**identity, **row} for row in _passes(step)]
        memory += [{**identity, "content": key, "bytes": value} for key, value in step.memory_bytes.items()]
    summary = pd.DataFrame(rows)
    _compare(summary, None if experiment.baseline is None else experiment.baseline.scheme)
    return Tables(summary, pd.DataFrame(passes), pd.DataFrame(memory))


def _cases(resolved: TrainingInput) -> Iterator[tuple[str, str, str, str, str]]:
    yield from product(
        resolved.models, resolved.schemes, resolved.technologies, resolved.platforms, resolved.ways
    )  # fmt: skip


def _figures(step: TrainingStep, tokens: float) -> dict[str, Any]:
    low, nominal, high = step.energy_j / step.tokens
    return {
        "energy_per_token_low_j": low,
        "energy_per_token_j": nominal,
        "energy_per_token_high_j": high,
        "tokens_per_s": step.tokens / step.seconds,
        "power_w": step.energy_j[1] / step.seconds,
        "step_tokens": step.tokens,
        "memory_bytes": sum(step.memory_bytes.values()),
        "macs_per_token": sum(sum(each.macs.values()) for each in step.passes.values()) / step.tokens,
        "forward_share": step.passes[FORWARD].total_j[1] / step.energy_j[1],
        "training_tokens": tokens,
        "training_j": nominal * tokens,
        "training_low_j": low * tokens,
        "training_high_j": high * tokens,
    }


def _passes(step: TrainingStep) -> Iterator[dict[str, Any]]:
    for name, each in step.passes.items():
        for i, (component, energy) in enumerate(each.energy_j.items()):
            ends = {f"energy_per_token_{end}_j": value / step.tokens for end, value in zip(ENDS, energy, strict=True)}
            yield {
                "pass": name,
                "component": component,
                "macs_per_token": each.macs.get(component, 0.0) / step.tokens,
                **{key.replace("_nominal", ""): value for key, value in ends.items()},
                "pass_s": each.seconds if i == 0 else 0.0,
            }


def _inference(resolved: TrainingInput, model: str, scheme: str, technology: str) -> dict[str, float]:
    """Return the energy of a generated token where the trained model serves requests; nothing without any."""
    inference = resolved.experiment.training.inference
    if inference is None:
        return {}
    name, machine = next(iter(resolved.deployed.values()))[scheme]
    shape: ModelShape = resolved.models[model]
    experiment = resolved.experiment
    system = System(
        [shape], [resolved.schemes[scheme]], [resolved.technologies[technology]], [[(name, machine)]],
        experiment.objective, PHASES, experiment.experts,
    )  # fmt: skip
    none = np.zeros(1, dtype=np.intp)
    sizes = (np.array([float(each)]) for each in (inference.batch, inference.prompt_tokens, inference.new_tokens))
    evaluated = system.evaluate(Cases(none, none, *sizes), none, none)
    generated = inference.batch * inference.new_tokens
    ends = evaluated.energies
    decode = PHASE_NAMES.index(DECODE)
    width = evaluated.width
    of_decode = slice(decode * width, (decode + 1) * width)
    low, nominal, high = (end[0, of_decode].sum() * J_PER_PJ / generated for end in ends)
    return {
        "inference_per_token_low_j": low,
        "inference_per_token_j": nominal,
        "inference_per_token_high_j": high,
    }


def _compare(summary: pd.DataFrame, baseline: str | None) -> None:
    """Add ratios to the baseline trained in the same way, and how many generated tokens pay back the difference.

    ``payback_tokens`` is infinite where each generated token takes no less than the baseline's, and 0 where training
    takes no more. ``tokens_as_training`` are those that take as much energy as training did.
    """
    has_inference = "inference_per_token_j" in summary
    if has_inference:
        summary["tokens_as_training"] = summary["training_j"] / summary["inference_per_token_j"]
    if baseline is None:
        return
    keys = [key for key in CASE if key != "scheme"]
    at = pd.MultiIndex.from_frame(summary[keys])
    of_baseline = summary[summary["scheme"] == baseline].set_index(keys)

    def reference(column: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return of_baseline[column].loc[at].to_numpy(dtype=np.float64)

    summary["ratio_to_baseline_training"] = reference("energy_per_token_j") / summary["energy_per_token_j"]
    if has_inference:
        summary["ratio_to_baseline_inference"] = reference("inference_per_token_j") / summary["inference_per_token_j"]
        more = summary["training_j"].to_numpy() - reference("training_j")
        saved = reference("inference_per_token_j") - summary["inference_per_token_j"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            tokens = np.where(saved > 0, more / saved, np.inf)
        summary["payback_tokens"] = np.where(more <= 0, 0.0, tokens)
