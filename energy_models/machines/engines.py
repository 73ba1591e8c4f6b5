"""Times of serving engines: from a request's arrival to its first token, and between the tokens that follow.

A fixed number of requests of one size is in flight: when one ends, the next comes. In the steady state each token waits
for a decode step, and for the prefills of the requests that join meanwhile: of `batch` requests that live for
`new_tokens` steps, batch / new_tokens join in each step. A chunk of a prompt runs in the step of the others, which pays
for launches and reads the weights. Requests for whose keys and values there is no room wait.

Other engines prefill all that wait before they decode: the requests of a batch then begin and end together, the first
token of each waits for half of the others' prefills, and its second one for the other half.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from pydantic import Field

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate
from bitjoule.energy_models.machines.predict import TECHNOLOGY
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.serving.links import S_PER_US, Link
from bitjoule.energy_models.serving.parallel import reductions, shard, statistics, tensor_traffic
from bitjoule.energy_models.serving.steps import Machine, Steps
from bitjoule.energy_models.system.counting.memory import BITS_PER_BYTE
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.overheads import MAX_US
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.work.workload import Experts


class Engine(Strict):
    """A serving engine.

    Parameters
    ----------
    description
        One line for a reader.
    together
        Whether all requests that wait are prefilled before any of them is decoded.
    step_us, request_us
        Time of each step, and of each sequence in it, beside the work; none: those of the machine, which was fitted
        with another engine.
    memory_share
        Share of a chip's memory that weights, keys and values may take.
    source, where
        Citation key, and the place in it.
    """

    description: str
    together: bool = False
    step_us: float | None = Field(default=None, ge=0, le=MAX_US)
    request_us: float | None = Field(default=None, ge=0, le=MAX_US)
    memory_share: float = Field(default=0.9, gt=0, le=1)
    source: str = ""
    where: str = ""


class _Engines(Strict):
    """The file data/engines.yaml."""

    engines: dict[str, Engine]


@cache
def engines() -> dict[str, Engine]:
    """Return every engine, by name.

    Raises
    ------
    InputError
        data/engines.yaml is wrong.
    """
    return validate(_Engines, read_document(DATA / "engines.yaml")).engines


class Requests(NamedTuple):
    """Requests of one size in flight, shape (cases,) each.

    Parameters
    ----------
    batch
        Requests that are in the engine.
    prompt_tokens, new_tokens
        Of each.
    """

    batch: Floats
    prompt_tokens: Floats
    new_tokens: Floats


class EngineTimes(NamedTuple):
    """What requests are predicted to take, shape (cases,) each.

    Parameters
    ----------
    first_token_s, token_s
        To the first token, and between the following ones; means over the requests.
    fixed_s
        The part of `token_s` in which nothing is computed: the fixed times of a step and of its requests.
    running
        Requests for which there is memory.
    """

    first_token_s: Floats
    token_s: Floats
    fixed_s: Floats
    running: Floats


class Chips(NamedTuple):
    """A model on chips.

    Parameters
    ----------
    platform, name
        Each chip.
    model, scheme
        What it runs.
    chips, link
        That share every matrix, and what is between them.
    """

    platform: Platform
    name: str
    model: str
    scheme: Scheme
    chips: int
    link: Link


def engine_times(on: Chips, engine: Engine, requests: Requests) -> EngineTimes:
    """Return what requests take.

    Parameters
    ----------
    on, engine, requests
        The machine, the engine, and what it serves.

    Raises
    ------
    PydanticCustomError
        The model cannot be split over the chips.
    UnpricedError
        The machine does not compute the scheme.
    """
    model = presets()[on.model]
    batch, prompt, new = requests
    running = np.minimum(batch, room(on, engine, requests))
    step_s = _steps_s(on, engine, model, Steps(*_of(1.0, prompt + (new + 1) / 2 - 1, running)), joining=False)
    ones = np.ones_like(batch)
    prefill_s = _steps_s(on, engine, model, Steps(*_of(prompt, 0.0, ones)), joining=True)
    if engine.together:
        waits_s = (running - 1) / 2 * prefill_s
        token_s = step_s + waits_s / new
        first_s = prefill_s + waits_s
    else:
        token_s = step_s + running * prefill_s / new
        first_s = prefill_s + step_s + token_s / 2  # the step in which it comes is half over
    queued_s = (batch / running - 1) * (new * token_s + first_s)
    step_us, request_us = fixed_times(on.platform, engine)
    return EngineTimes(first_s + queued_s, token_s, (step_us + running * request_us) * S_PER_US, running)


def fixed_times(platform: Platform, engine: Engine) -> tuple[float, float]:
    """Return the microseconds of a step, and of each request in it: the engine's own, or else the machine's.

    Parameters
    ----------
    platform, engine
        Each chip, and the engine on it.
    """
    own = platform.overheads
    step_us, request_us = (own.step_us, own.request_us) if own else (0.0, 0.0)
    return (
        step_us if engine.step_us is None else engine.step_us,
        request_us if engine.request_us is None else engine.request_us,
    )


def _of(tokens: Floats | float, before: Floats | float, batch: Floats) -> tuple[Floats, ...]:
    ones = np.ones_like(batch)
    return ones * tokens, ones * before, batch, ones, ones


def room(on: Chips, engine: Engine, requests: Requests) -> Floats:
    """Return how many requests have room for their keys and values, at least 1, shape (cases,).

    Parameters
    ----------
    on, engine, requests
        As for `engine_times`.
    """
    capacity = on.platform.off_chip.capacity_bytes
    if capacity is None:
        return np.full_like(requests.batch, np.inf)
    part = shard(presets()[on.model], on.chips)
    machine = _machine(on)
    stored = machine.stored(part)
    left = capacity * engine.memory_share - float(stored.weights_bytes + stored.tables_bytes)
    kept = sum(block.repeats * part_.cached for block in part.blocks for part_ in block.parts)
    bytes_each = kept * on.scheme.cached_bits / BITS_PER_BYTE * (requests.prompt_tokens + requests.new_tokens)
    return np.maximum(np.floor(left / bytes_each), 1.0)


def _machine(on: Chips) -> Machine:
    return Machine(on.name, on.platform, on.scheme, technologies()[TECHNOLOGY], Objective.LATENCY, Experts.EXPECTED)


def _steps_s(on: Chips, engine: Engine, model: ModelShape, steps: Steps, joining: bool) -> Floats:
    """Return the time of steps, shape (steps,); of those that join others, what they add to their step."""
    own = on.platform.overheads
    changed = dict(zip(("step_us", "request_us"), fixed_times(on.platform, engine), strict=True))
    launch_us = own.matmul_us if own else 0.0
    if joining:
        changed |= {"step_us": 0.0, "matmul_us": 0.0}
        launch_us = 0.0
    platform = on.platform
    if own is not None:
        platform = platform.model_copy(update={"overheads": own.model_copy(update=changed)})
    seconds = _machine(on._replace(platform=platform)).costs(shard(model, on.chips), steps).latency_s
    if on.chips > 1:
        rows, bits = steps.tokens * steps.batch, width_bits(on.scheme.residual)
        moved = tensor_traffic(model, on.link, on.chips, rows, steps.batch, bits, statistics(on.scheme, model))
        seconds = seconds + moved.seconds + reductions(model) * launch_us * S_PER_US
    return np.asarray(seconds)
