"""Continuous batching of one case: its figures in the steady state, and what is doubtful in them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL, Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.wording import memory_size
from bitjoule.energy_models.serving.batching.arrivals import Arrivals
from bitjoule.energy_models.serving.batching.methods import found_state
from bitjoule.energy_models.serving.batching.simulation import Demand
from bitjoule.energy_models.serving.batching.steady_state import CHAIN, OverloadError, SteadyState, capacity
from bitjoule.energy_models.serving.cache import full_batch_bytes
from bitjoule.energy_models.serving.length_options import lengths_of
from bitjoule.energy_models.serving.lengths import Lengths
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.requests import prefill_steps, run
from bitjoule.energy_models.serving.steps import Machine, Steps

Warn = Callable[[str], None]
GRID_BATCHES = 48  # for which a step is counted
PROMPTS = 24  # lengths for which prefill is counted where they differ
UNCERTAIN = 0.02  # standard error of percentiles that is warned of
BEYOND = 1e-3  # share of steps with a longer queue than the chain has
QUANTILES = (0.5, 0.95, 0.99)
COLUMNS = (
    "requests_per_s", "utilisation", "mean_batch", "power_w", "energy_per_token_low_j", "energy_per_token_j",
    "energy_per_token_high_j", *(f"first_token_p{100 * q:.0f}_s" for q in QUANTILES),
    *(f"token_p{100 * q:.0f}_s" for q in QUANTILES), "first_token_within_target", "token_within_target",
    "highest_requests_per_s", "mean_prompt_tokens", "mean_new_tokens", "percentiles_by", "percentiles_error",
    "full_batch_chip_bytes",
)  # fmt: skip
EXACT = ("requests_per_s", "mean_prompt_tokens", "percentiles_by", "full_batch_chip_bytes")
ROUNDED = tuple(column for column in COLUMNS if column not in EXACT)
DIGITS = 6  # of what is solved for


class Place(NamedTuple):
    """What serves.

    Parameters
    ----------
    name
        Of the case, for warnings.
    model, machine
        The model, and each chip.
    stored_bytes
        Weights and tables of a chip.
    """

    name: str
    model: ModelShape
    machine: Machine
    stored_bytes: float


def steady_figures(way: Options, at: Place, prompt: int, new: int, warn: Warn) -> dict[str, Any]:
    """Return the figures of continuous batching; of an overloaded server most are empty.

    Parameters
    ----------
    way, at
        How it is served, and by what.
    prompt, new
        Tokens of the workload.
    warn
        Receives what is doubtful.
    """
    prompts, news = way.prompts(prompt), lengths_of(way.new_lengths, new)
    full_bytes = _full_batch_bytes(way, at, prompts, news, warn)
    before = prompts.mean + news.seen - 1
    step_s, step_j = _decode_steps(way, at, before)
    prefill_s, prefill_j = _prefills(way, at, prompts)
    demand = Demand(prompts, prefill_s, news, cached_step_s(way, at, before, step_s))
    lengths = None if way.new_lengths == "geometric" else news
    arrivals = Arrivals(way.requests_per_s, way.max_batch, news.mean, lengths)
    idle_w = way.chips * at.machine.idle_w
    try:
        state, simulated = found_state(arrivals, step_s, step_j, prefill_j, idle_w, demand, QUANTILES)
    except OverloadError as overload:
        warn(f"{at.name}: requests_per_s is {way.requests_per_s:g}; {overload}")
        return {
            "requests_per_s": way.requests_per_s, "highest_requests_per_s": overload.capacity, "percentiles_by": "",
            "full_batch_chip_bytes": full_bytes,
        }  # fmt: skip
    if simulated and simulated.error > UNCERTAIN:
        of = f"percentiles of {simulated.requests} simulated requests"
        warn(f"{at.name}: {of} have a standard error of up to {simulated.error:.1%}")
    if state.method == CHAIN and state.beyond_share > BEYOND:
        longer = f"the queue is longer than the model has it in {state.beyond_share:.1%} of the steps"
        warn(f"{at.name}: {longer}; times to the first token are estimates")
    return _figures(way, state, capacity(arrivals, step_s, float(prefill_s @ prompts.probability))) | {
        "mean_prompt_tokens": prompts.mean, "mean_new_tokens": news.mean, "percentiles_by": state.method,
        "percentiles_error": simulated.error if simulated else np.nan, "full_batch_chip_bytes": full_bytes,
    }  # fmt: skip


def _full_batch_bytes(way: Options, at: Place, prompts: Lengths, news: Lengths, warn: Warn) -> float:
    """Return the bytes of a chip with `max_batch` sequences, and warn if its memory does not hold them."""

    def needed(sequences: int) -> float:
        cache = full_batch_bytes(sequences, way, at.model, at.machine.scheme, (prompts, news))
        return at.stored_bytes + cache * (1 - way.cache_offload_share) / way.chips

    full, holds = needed(way.max_batch), at.machine.platform.off_chip.capacity_bytes
    if holds is not None and full > holds:
        fit = max((batch for batch in range(1, way.max_batch) if needed(batch) <= holds), default=0)
        needs, has = map(memory_size, (full, holds))
        enough = f"a max_batch of {fit} fits" if fit else "not one sequence fits"
        of = f"a full batch of {way.max_batch} sequences needs {needs} of a chip"
        warn(f"{at.name}: {of}; its off-chip memory holds {has}: {enough}")
    return full


def _prefills(way: Options, at: Place, prompts: Lengths) -> tuple[Floats, Floats]:
    """Return the times of prefill, one for each length, and its energy on average.

    Of many lengths some are counted, the others lie on the lines between them.
    """
    lengths = np.maximum(np.round(prompts.tokens), 1)
    counted = np.unique(np.round(np.geomspace(lengths[0], lengths[-1], PROMPTS))) if len(lengths) > PROMPTS else lengths
    steps = [prefill_steps(way, 1, tokens, way.cached_tokens(tokens)) for tokens in counted.astype(int).tolist()]
    seconds, joules = _counted(way, at, steps, PREFILL)
    energies = np.stack([np.interp(lengths, counted, end) for end in joules])
    return np.interp(lengths, counted, seconds), energies @ prompts.probability


def _decode_steps(way: Options, at: Place, before: float) -> tuple[Floats, Floats]:
    """Return time and energy of a decode step of 1 to `max_batch` sequences at the mean context.

    Of many batches some are counted, the others lie on the lines between them.
    """
    sizes = np.arange(1, way.max_batch + 1, dtype=np.float64)
    counted = np.unique(np.round(np.geomspace(1, way.max_batch, GRID_BATCHES)))
    seconds, energies = _counted(way, at, [Steps.of((1, before, batch, 1, 1)) for batch in counted.tolist()], DECODE)
    return np.interp(sizes, counted, seconds), np.stack([np.interp(sizes, counted, end) for end in energies])


def _counted(way: Options, at: Place, steps: Sequence[Steps], phase: str) -> tuple[Floats, Floats]:
    """Return time and energy of steps, shape (steps,) and (3, steps): collected, then counted together."""
    for at.machine.collecting in (True, False):
        parts = [run(at.model, at.machine, each, way, phase, pipelined=phase == DECODE) for each in steps]
    energies = [np.sum(list(part.energies.values()), axis=0) for part in parts]
    return np.array([part.seconds for part in parts]), np.stack(energies, axis=1)


def cached_step_s(way: Options, at: Place, before: float, step_s: Floats) -> Floats:
    """Return how much longer a decode step takes for each token more in any of its caches.

    Parameters
    ----------
    way, at
        How it is served, and by what.
    before, step_s
        Tokens in each cache, and the time of a step of 1 to `max_batch` sequences, shape (max_batch,).

    Returns
    -------
    Floats
        Seconds, of a step of 1 to `max_batch` sequences, shape (max_batch,).
    """
    longer_s = _decode_steps(way, at, 2 * before)[0] - step_s
    return np.asarray(longer_s / before / np.arange(1, way.max_batch + 1))


def _figures(way: Options, state: SteadyState, highest: float) -> dict[str, Any]:
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
