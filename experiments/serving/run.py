"""Serves the requests of an experiment in every way: its tables."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL, Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.serving.batching.arrivals import Arrivals, Contexts
from bitjoule.energy_models.serving.batching.steady_state import OverloadError, SteadyState, capacity, steady_state
from bitjoule.energy_models.serving.length_options import lengths_of
from bitjoule.energy_models.serving.lengths import Lengths, contexts_of
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.batching.queueing import Distribution
from bitjoule.energy_models.serving.requests import STAGES, Served, Workload, prefill_steps, run, serve
from bitjoule.energy_models.serving.steps import Machine, Steps
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.experiments.energy.schema import swept
from bitjoule.experiments.output.columns import ARRAY_COLUMNS, ARRAY_SEPARATOR
from bitjoule.experiments.serving.costs import cost_table
from bitjoule.experiments.serving.resolve import ServingInput

Machines = Callable[[str, str, str, str | None], Machine]
CASE = ("experiment", "model", "scheme", "technology", "platform", "batch", "prompt_tokens", "new_tokens", "way")
ENDS = ("low", "nominal", "high")
GRID_BATCHES = 48  # for which a step is counted
PROMPTS = 24  # lengths for which prefill is counted where they differ
SPREAD = 0.05  # of the time of a step, by the caches, beyond which times between tokens are estimates
OFTEN_FULL = 0.05  # share of the time in which the batch is full, beyond which the first tokens' times are estimates
QUANTILES = (0.5, 0.95, 0.99)
STEADY = (
    "requests_per_s", "utilisation", "mean_batch", "power_w", "energy_per_token_low_j", "energy_per_token_j",
    "energy_per_token_high_j", *(f"first_token_p{100 * q:.0f}_s" for q in QUANTILES),
    *(f"token_p{100 * q:.0f}_s" for q in QUANTILES), "first_token_within_target", "token_within_target",
    "highest_requests_per_s", "mean_prompt_tokens", "mean_new_tokens",
)  # fmt: skip


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
    """

    summary: pd.DataFrame
    stages: pd.DataFrame
    steady: pd.DataFrame
    arrays: pd.DataFrame
    costs: pd.DataFrame


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
        for on, needed in ((decoder or machine, rows[-1]["chip_bytes"]), (machine, served.prefill_bytes)):
            holds = on.platform.off_chip.capacity_bytes
            if holds is not None and needed > holds:
                needs, has = (f"{size / 1e9:.3g} GB" for size in (needed, holds))
                chip = f"a chip of {on.name}" if decoder else "a chip"
                warn(f"{model_name} in {scheme}, {way.name}: {chip} needs {needs}; its off-chip memory holds {has}")
        if way.requests_per_s:
            steady.append({**identity, **_steady(way, model, machine, prompt, new, identity, warn)})
    summary = pd.DataFrame(rows)
    _compare(summary, None if experiment.baseline is None else experiment.baseline.scheme, resolved.ways[0].name)
    summary = pd.concat([summary, pd.DataFrame(ends)], axis=1)
    states = pd.DataFrame(steady, columns=[*CASE, *STEADY] if steady else None)
    costs = pd.DataFrame()
    if experiment.costs is not None:
        costs = cost_table(summary, states, list(CASE), experiment.costs)
    return Tables(summary, pd.DataFrame(stages), states, pd.DataFrame(arrays), costs)


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


def _steady(
    way: Options, model: ModelShape, machine: Machine, prompt: int, new: int, identity: Mapping[str, Any],
    warn: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Return the figures of continuous batching; those of an overloaded server are empty."""
    prompts, news = way.prompts(prompt), lengths_of(way.new_lengths, new)
    before = prompts.mean + news.seen - 1
    step_s, step_j = _decode_steps(way, model, machine, before)
    cached = contexts_of(prompts, news)
    contexts = Contexts(*cached, (_decode_steps(way, model, machine, 2 * before)[0] - step_s) / before)
    prefill, prefill_j = _prefills(way, model, machine, prompts)
    arrivals = Arrivals(way.requests_per_s, way.max_batch, news.mean, None if way.new_lengths == "geometric" else news)
    chips = way.chips
    try:
        state = steady_state(arrivals, step_s, step_j, prefill, prefill_j, chips * machine.idle_w, contexts)
    except OverloadError as overload:
        place = f"{identity['model']} in {identity['scheme']}, {way.name}"
        warn(f"{place}: requests_per_s is {way.requests_per_s:g}; {overload}")
        return {"requests_per_s": way.requests_per_s, "highest_requests_per_s": overload.capacity}
    place = f"{identity['model']} in {identity['scheme']}, {way.name}"
    if state.step_spread > SPREAD:
        differ = f"caches of different length change the time of a step by {state.step_spread:.0%}"
        warn(f"{place}: {differ}; times between tokens are estimates")
    if state.waiting_share > OFTEN_FULL:
        full = f"the batch is full in {state.waiting_share:.0%} of the time"
        warn(f"{place}: {full}; times to the first token are estimates")
    found = _steady_figures(way, state, capacity(arrivals, step_s, prefill.mean))
    return found | {"mean_prompt_tokens": prompts.mean, "mean_new_tokens": news.mean}


def _prefills(way: Options, model: ModelShape, machine: Machine, prompts: Lengths) -> tuple[Distribution, Floats]:
    """Return the times of prefill, and its energy on average.

    Of many lengths some are counted, the others lie on the lines between them.
    """
    lengths = np.maximum(np.round(prompts.tokens), 1)
    counted = np.unique(np.round(np.geomspace(lengths[0], lengths[-1], PROMPTS))) if len(lengths) > PROMPTS else lengths
    seconds, joules = np.zeros(len(counted)), np.zeros((3, len(counted)))
    for i, tokens in enumerate(counted.astype(int).tolist()):
        cached = way.cached_tokens(tokens)
        part = run(model, machine, prefill_steps(way, 1, tokens, cached), way, PREFILL, pipelined=False)
        seconds[i], joules[:, i] = part.seconds, np.sum(list(part.energies.values()), axis=0)
    energies = np.stack([np.interp(lengths, counted, end) for end in joules])
    return Distribution(np.interp(lengths, counted, seconds), prompts.probability), energies @ prompts.probability


def _steady_figures(way: Options, state: SteadyState, highest: float) -> dict[str, Any]:
    first, token = state.first_token_s, state.token_s
    low, nominal, high = state.energy_per_token_j
    figures: dict[str, Any] = {
        "requests_per_s": way.requests_per_s, "utilisation": state.utilisation, "mean_batch": state.mean_batch,
        "power_w": state.power_w[1], "energy_per_token_low_j": low, "energy_per_token_j": nominal,
        "energy_per_token_high_j": high, "highest_requests_per_s": highest,
    }  # fmt: skip
    for name, times in (("first_token", first), ("token", token)):
        figures |= {f"{name}_p{100 * q:.0f}_s": times.quantile(q) for q in QUANTILES}
        target = getattr(way, f"{name}_target_s")
        figures[f"{name}_within_target"] = times.within(target) if target else np.nan
    return figures


def _decode_steps(way: Options, model: ModelShape, machine: Machine, before: float) -> tuple[Floats, Floats]:
    """Return time and energy of a decode step of 1 to `max_batch` sequences at the mean context.

    Of many batches some are counted, the others lie on the lines between them.
    """
    sizes = np.arange(1, way.max_batch + 1, dtype=np.float64)
    counted = np.unique(np.round(np.geomspace(1, way.max_batch, GRID_BATCHES)))
    seconds, energies = np.zeros(len(counted)), np.zeros((3, len(counted)))
    for i, batch in enumerate(counted.tolist()):
        step = Steps.of((1, before, batch, 1, 1))
        part = run(model, machine, step, way, DECODE, pipelined=True)
        seconds[i], energies[:, i] = part.seconds, np.sum(list(part.energies.values()), axis=0)
    return np.interp(sizes, counted, seconds), np.stack([np.interp(sizes, counted, end) for end in energies])


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
