"""Serves the requests of an experiment in every way: its tables."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.wording import memory_size
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.requests import STAGES, Served, Workload, serve
from bitjoule.energy_models.serving.steps import Machine
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.energy.schema import swept
from bitjoule.experiments.output.columns import ARRAY_COLUMNS, ARRAY_SEPARATOR
from bitjoule.experiments.output.tables import with_digits
from bitjoule.experiments.serving.costs import cost_table
from bitjoule.experiments.serving.resolve import ServingInput
from bitjoule.experiments.serving.steady import COLUMNS as STEADY
from bitjoule.experiments.serving.steady import DIGITS, ROUNDED, Place, steady_figures
from bitjoule.experiments.serving.utilisation import utilisation_rows

Machines = Callable[[str, str, str, str | None], Machine]
CASE = ("experiment", "model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens", "way")
ENDS = ("low", "nominal", "high")


class Tables(NamedTuple):
    """The tables of a serving experiment.

    Parameters
    ----------
    summary
        A row for each case and way.
    stages
        Energy by stage.
    steady
        Continuous batching in its steady state, for the ways that have requests coming.
    arrays
        MACs by array, prefill and draft included.
    costs
        Electricity, money and carbon dioxide, if the experiment asks for them.
    utilisation
        What bounds each phase, and the share of every peak that is used.
    """

    summary: pd.DataFrame
    stages: pd.DataFrame
    steady: pd.DataFrame
    arrays: pd.DataFrame
    costs: pd.DataFrame
    utilisation: pd.DataFrame


def tables(resolved: ServingInput, warn: Callable[[str], None]) -> Tables:
    """Return the tables of a serving experiment.

    Parameters
    ----------
    resolved
        From `bitjoule.experiments.serving.resolve`.
    warn
        Receives what is doubtful.
    """
    experiment = resolved.experiment
    rows: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    steady: list[dict[str, Any]] = []
    ends: list[dict[str, Any]] = []
    arrays: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    machines = _machines(resolved)
    _collect(resolved, machines)
    for case in _cases(resolved):
        model_name, scheme, technology, platform, batch, prompt, new, way = case
        model, machine, draft, decoder = _on(resolved, machines, model_name, scheme, technology, platform, way)
        if draft is not None and draft[0].vocabulary != model.vocabulary:
            differ = f"the draft {way.draft} has a vocabulary of {draft[0].vocabulary}, the model {model.vocabulary}"
            warn(f"{model_name}, {way.name}: {differ}; their tokens must be the same")
        names = (experiment.name, model_name, scheme, technology, platform, batch, prompt, new, way.name)
        identity = dict(zip(CASE, names, strict=True))
        served = serve(Workload(batch, prompt, new), way, model, machine, draft, decoder)
        rows.append({**identity, **_figures(served, way, new, prompt * batch), "continuous": way.requests_per_s > 0})
        stages += [{**identity, **stage} for stage in _stages(served)]
        ends.append(_appended(served, prompt * batch))
        arrays += [{**identity, **own} for own in _arrays(served)]
        used += [{**identity, **own} for own in utilisation_rows(served)]
        for on, needed in ((decoder or machine, rows[-1]["chip_bytes"]), (machine, served.prefill_bytes)):
            holds = on.platform.off_chip.capacity_bytes
            if holds is not None and needed > holds:
                needs, has = map(memory_size, (needed, holds))
                chip = f"a chip of {on.name}" if decoder else "a chip"
                warn(f"{model_name} in {scheme}, {way.name}: {chip} needs {needs}; its off-chip memory holds {has}")
        if way.requests_per_s:
            at = Place(f"{model_name} in {scheme}, {way.name}", model, machine, served.stored_bytes)
            steady.append({**identity, **steady_figures(way, at, prompt, new, warn)})
    summary = pd.DataFrame(rows)
    _compare(summary, None if experiment.baseline is None else experiment.baseline.scheme, resolved.ways[0].name)
    summary = pd.concat([summary, pd.DataFrame(ends)], axis=1)
    states = pd.DataFrame(steady, columns=[*CASE, *STEADY] if steady else None)
    if steady:
        states = with_digits(states, DIGITS, ROUNDED)
    costs = pd.DataFrame()
    if experiment.costs is not None:
        costs = cost_table(summary, states, list(CASE), experiment.costs)
    return Tables(summary, pd.DataFrame(stages), states, pd.DataFrame(arrays), costs, pd.DataFrame(used))


def _on(
    resolved: ServingInput, machines: Machines, model: str, scheme: str, technology: str, platform: str, way: Options
) -> tuple[ModelShape, Machine, tuple[ModelShape, Machine] | None, Machine | None]:
    """Return the model and its machine; draft model and machine; and the machine that decodes, if it is another."""
    machine, decoder = machines(scheme, technology, platform, way.attention), None
    if way.decode_platform is not None:
        decoder = machines(scheme, technology, way.decode_platform, way.attention)
    draft = None if way.draft is None else (resolved.drafts[way.draft], decoder or machine)
    return resolved.models[model], machine, draft, decoder


def _collect(resolved: ServingInput, machines: Machines) -> None:
    """Let every machine know the steps of all cases before any is counted."""
    used: list[Machine] = []
    for model_name, scheme, technology, platform, batch, prompt, new, way in _cases(resolved):
        model, machine, draft, decoder = _on(resolved, machines, model_name, scheme, technology, platform, way)
        for each in filter(None, (machine, decoder)):
            each.collecting = True
            used.append(each)
        serve(Workload(batch, prompt, new), way, model, machine, draft, decoder)
    for each in used:
        each.collecting = False


def _cases(resolved: ServingInput) -> Iterator[tuple[str, str, str, str, int, int, int, Options]]:
    workload = resolved.experiment.workload
    yield from product(
        resolved.models, resolved.schemes, resolved.technologies, resolved.platforms, swept(workload.batch),
        swept(workload.prompt_tokens), swept(workload.new_tokens), resolved.ways,
    )  # fmt: skip


def _machines(resolved: ServingInput) -> Machines:
    by_name: Mapping[str, Mapping[str, tuple[str, Platform]]] = {**resolved.decoders, **resolved.platforms}

    @cache
    def machine(scheme: str, technology: str, platform: str, attention: str | None) -> Machine:
        name, hardware = by_name[platform][scheme]
        if attention is not None:
            hardware = hardware.model_copy(update={"attention": attention})
        experiment = resolved.experiment
        return Machine(
            name, hardware, resolved.schemes[scheme], resolved.technologies[technology], experiment.objective,
            experiment.experts,
        )  # fmt: skip

    return machine


def _figures(served: Served, way: Options, new: int, prompt_tokens: int) -> dict[str, Any]:
    prefill, decode = (np.sum(list(part.values()), axis=0) for part in (served.prefill_j, served.decode_j))
    per_token = decode / served.generated
    return {
        "chips": served.chips,
        "energy_per_generated_token_low_j": per_token[0],
        "energy_per_generated_token_j": per_token[1],
        "energy_per_generated_token_high_j": per_token[2],
        "energy_per_prompt_token_j": prefill[1] / prompt_tokens,
        "request_j": prefill[1] + decode[1],
        "first_token_s": served.first_token_s,
        "per_token_s": served.decode_s / new,
        "tokens_per_s": served.generated / served.decode_s,
        "power_w": (prefill[1] + decode[1]) / (served.first_token_s + served.decode_s),
        "cache_used_bytes": served.cache.used,
        "cache_allocated_bytes": served.cache.allocated,
        "cache_wasted_share": served.cache.wasted_share,
        "chip_bytes": served.stored_bytes + served.cache.allocated * (1 - way.cache_offload_share) / served.chips,
    }


def _appended(served: Served, prompt_tokens: int) -> dict[str, Any]:
    """Return the columns after those of `_figures` and the ratios: ends of the bands, arrays, the other machine."""
    prefill, decode = (np.sum(list(part.values()), axis=0) for part in (served.prefill_j, served.decode_j))
    busiest, *others = _arrays(served)
    names = (busiest["array"], busiest["mac_share"], ARRAY_SEPARATOR.join(other["array"] for other in others))
    return {
        "energy_per_prompt_token_low_j": prefill[0] / prompt_tokens,
        "energy_per_prompt_token_high_j": prefill[2] / prompt_tokens,
        "request_low_j": prefill[0] + decode[0],
        "request_high_j": prefill[2] + decode[2],
        **dict(zip(ARRAY_COLUMNS, names, strict=True)),
        "prefill_chip_bytes": served.prefill_bytes,
    }


def _arrays(served: Served) -> list[dict[str, Any]]:
    """Return the arrays that run MACs, the busiest first."""
    total = sum(served.macs.values())
    used = sorted(((macs, name) for name, macs in served.macs.items() if macs > 0), key=lambda each: -each[0])
    return [{"array": name, "macs": macs, "mac_share": macs / total} for macs, name in used]


def _stages(served: Served) -> Iterator[dict[str, Any]]:
    for phase, part in ((PREFILL, served.prefill_j), (DECODE, served.decode_j)):
        for stage in STAGES:
            if stage in part:
                yield {"phase": phase, "stage": stage} | {
                    f"energy_{end}_j".replace("_nominal", ""): value
                    for end, value in zip(ENDS, part[stage], strict=True)
                }


def _compare(summary: pd.DataFrame, baseline: str | None, first: str) -> None:
    """Add how many times less energy it takes than the baseline served in the same way, and than the first way."""
    for energy, of in (("energy_per_generated_token_j", "token"), ("request_j", "request")):
        for column, axis, value in ((f"ratio_to_baseline_{of}", "scheme", baseline), (f"gain_{of}", "way", first)):
            if value is None:
                summary[column] = np.nan
                continue
            keys = [key for key in CASE if key != axis]
            reference = summary[summary[axis] == value].set_index(keys)[energy]
            at = pd.MultiIndex.from_frame(summary[keys])
            summary[column] = reference.loc[at].to_numpy() / summary[energy].to_numpy()
