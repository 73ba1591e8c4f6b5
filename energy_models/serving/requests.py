"""Requests of equal size that are served together in one way: the energy and the time of each stage."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import DECODE, PREFILL, Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.serving.cache import CacheBytes, cache_bytes, table_bits
from bitjoule.energy_models.serving.links import BITS_PER_GB, Link, send
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.parallel import (
    expert_traffic,
    pipeline_traffic,
    shard,
    statistics,
    tensor_traffic,
    without_experts,
)
from bitjoule.energy_models.serving.peaks import HOST, LINK, Occupied, experts_of, occupied
from bitjoule.energy_models.serving.steps import J_PER_PJ, Machine, Steps
from bitjoule.energy_models.system.counting.memory import Bytes

DRAFT, IDLE, TABLES = "draft", "idle", "block_tables"
STAGES = (PREFILL, DECODE, DRAFT, LINK, TABLES, HOST, IDLE)


class Workload(NamedTuple):
    """Sequences of equal size."""

    batch: int
    prompt_tokens: int
    new_tokens: int


class Served(NamedTuple):
    """What serving a batch costs.

    Parameters
    ----------
    prefill_j, decode_j
        Energy by stage, each at low, nominal and high prices, shape (3,): until the first token, and after it.
    first_token_s, decode_s
        Time until the first token; after it.
    generated
        Tokens of all sequences.
    cache
        The KV cache.
    stored_bytes
        Weights and tables of a chip, and all that a draft model keeps there; the model's cache is not included.
    chips
        That run the model.
    macs
        By the name of the array that runs them, of all chips; with `Options.decode_platform` the name of the platform
        is before it.
    prefill_bytes
        What a chip holds that prefills for others, the cache of the prompts included; 0 without them.
    prefill_use, decode_use
        Where the time of both goes.
    """

    prefill_j: Mapping[str, Floats]
    decode_j: Mapping[str, Floats]
    first_token_s: float
    decode_s: float
    generated: int
    cache: CacheBytes
    stored_bytes: float
    chips: int
    macs: Mapping[str, float]
    prefill_bytes: float
    prefill_use: Occupied
    decode_use: Occupied


class _Run(NamedTuple):
    """Steps of a model on chips, all of them together."""

    energies: dict[str, Floats]
    seconds: float
    macs: Mapping[str, float]
    use: Occupied


def serve(
    workload: Workload, options: Options, model: ModelShape, machine: Machine,
    draft: tuple[ModelShape, Machine] | None = None, decoder: Machine | None = None,
) -> Served:  # fmt: skip
    """Return what serving a batch costs.

    Parameters
    ----------
    workload, options
        What is served, and how.
    model, machine
        The model, and each chip that runs it.
    draft
        Draft model and the machine that runs it, the one that decodes, with `Options.draft`.
    decoder
        Each chip that decodes, with `Options.decode_platform`.

    Raises
    ------
    PydanticCustomError
        The model cannot be split over the chips.
    """
    batch, prompt, new = workload
    cached = options.cached_tokens(prompt)
    prefill = run(model, machine, prefill_steps(options, batch, prompt, cached), options, PREFILL, pipelined=False)
    decoder = decoder or machine
    first_token_s, prefill_use, decode_use = prefill.seconds, prefill.use, Occupied.nothing()
    energies = {PREFILL: prefill.energies, DECODE: {}}
    decode_s = prefill_bytes = 0.0
    split = options.decode_platform is not None
    macs = _named(prefill.macs, machine, split)
    if split:
        link = options.between_chips
        held = cache_bytes(workload._replace(new_tokens=0), options, model, decoder.scheme)
        on_chip = held.allocated * (1 - options.cache_offload_share) / options.chips
        prefill_bytes = _stored_bytes(model, machine, options) + on_chip
        moved = send(link, np.array([held.used * 8.0]))
        _add(prefill.energies, LINK, float(moved.bits[0]) * _pj(link))
        first_token_s += float(moved.seconds[0])
        crossing = Occupied.of_link(LINK, link, float(moved.bits[0]), float(moved.seconds[0]))
        prefill_use = prefill_use.plus(crossing)
    if new:
        runs = []
        rounds = new / options.tokens_per_round
        before = prompt + (new + 1) / 2 - 1
        drafted = options.draft_tokens
        steps = Steps.of((1 + drafted, before, batch, 1 + drafted, rounds))
        runs.append(run(model, decoder, steps, options, DECODE, pipelined=True))
        if draft is not None:
            own = prefill_steps(options, batch, prompt, cached)
            own = own._replace(outputs=np.zeros_like(own.tokens))
            runs.append(run(*draft, own, options, DRAFT, pipelined=False))
            runs.append(run(*draft, Steps.of((1, before, batch, 1, drafted * rounds)), options, DRAFT, pipelined=True))
        if options.block_tokens:
            bits = table_bits(options, model, batch, before + 1) * rounds
            price = decoder.system_machine.access("off_chip_read", "activations")[0]
            energy_j, seconds = np.array(price) * J_PER_PJ * bits, bits / _off_chip_bits_per_s(decoder)
            use = Occupied.of_reads(seconds, decoder.platform.off_chip.achieved_share)
            runs.append(_Run({TABLES: energy_j}, seconds, {}, use))
        for part in runs:
            decode_s += part.seconds
            decode_use = decode_use.plus(part.use)
            for array, count in _named(part.macs, decoder, split).items():
                macs[array] = macs.get(array, 0.0) + count
            for stage, energy_j in part.energies.items():
                _add(energies[DECODE], stage, energy_j)
    stored_bytes = _stored_bytes(model, decoder, options)
    if draft is not None:
        caches = cache_bytes(workload, options, draft[0], draft[1].scheme)
        cached_bytes = caches.allocated * (1 - options.cache_offload_share)
        stored_bytes += _stored_bytes(*draft, options) + cached_bytes / options.chips
    return Served(
        energies[PREFILL], energies[DECODE], first_token_s, decode_s, batch * new,
        cache_bytes(workload, options, model, decoder.scheme), stored_bytes, options.chips, macs, prefill_bytes,
        prefill_use, decode_use,
    )  # fmt: skip


def _named(macs: Mapping[str, float], machine: Machine, split: bool) -> dict[str, float]:
    """Return MACs by array, with the name of the platform before it where there are two."""
    return {f"{machine.name} {array}" if split else array: count for array, count in macs.items()}


def _stored_bytes(model: ModelShape, machine: Machine, options: Options) -> float:
    """Return the bytes of a model's weights and tables on each chip."""
    stored = machine.stored(shard(model, options.tensor_parallel))
    on_chip = (_in_layers(stored) * (1 - options.weights_offload_share)) / options.pipeline_parallel
    if options.expert_parallel > 1:
        rest = _in_layers(machine.stored(without_experts(model)))
        on_chip = rest + (on_chip - rest) / options.expert_parallel
    return float(on_chip + stored.tables_bytes)


def _in_layers(stored: Bytes) -> Floats:
    return stored.weights_bytes + stored.adapters_bytes


def prefill_steps(options: Options, batch: int, prompt: int, cached: int) -> Steps:
    """Return the steps that prefill takes: chunks of equal size, and what is left with the first logits.

    Parameters
    ----------
    options
        With the size of a chunk.
    batch, prompt, cached
        Sequences, tokens of each, and those that are in the cache already.
    """
    tokens = prompt - cached
    chunk = options.chunk_tokens or tokens
    full = -(-tokens // chunk) - 1  # the last chunk is a step of its own
    mean_before = cached + (full - 1) / 2 * chunk
    return Steps.of((chunk, mean_before, batch, 0, full), (tokens - full * chunk, cached + full * chunk, batch, 1, 1))


def run(model: ModelShape, machine: Machine, steps: Steps, options: Options, stage: str, *, pipelined: bool) -> _Run:
    """Return energy and time of steps on chips that share the model.

    Parameters
    ----------
    model, machine, steps
        The model, each chip, and the steps.
    options
        How many chips, their links, and what lies in the memory of a host.
    stage
        Name of the energy of the chips.
    pipelined
        Whether the micro-batches of one step follow those of the step before it without a gap.

    Raises
    ------
    PydanticCustomError
        The model cannot be split over the chips.
    """
    if options.expert_parallel > 1:
        return _with_experts(model, machine, steps, options, stage)
    tensor, pipeline, parts = options.tensor_parallel, options.pipeline_parallel, options.micro_batches
    link, bits = options.between_chips, machine.system_machine.vector_bits
    steps = steps._replace(batch=steps.batch / parts)
    costs = machine.costs(shard(model, tensor), steps)
    rows = steps.batch * steps.tokens
    within, hops = np.zeros((2, 2, len(rows)))
    if tensor > 1:
        outputs = steps.batch * steps.outputs
        within = np.stack(
            tensor_traffic(
                model, link, tensor, rows, outputs, bits, statistics(machine.scheme, model) * options.reduce_statistics
            )
        )
    if pipeline > 1:
        hops = np.stack(pipeline_traffic(model, link, pipeline, rows, bits))
    host, host_s = _host(options, costs.weight_bits, costs.cache_bits)
    one_s = np.maximum(costs.latency_s, host_s) + within[1]  # a micro-batch on all stages, one after the other
    turns = max(parts, pipeline) if pipelined else parts + pipeline - 1  # of a stage, working or not
    most = -(-model.layers // pipeline)  # layers of one stage
    stage_s = one_s * most / model.layers
    step_s = stage_s * turns + hops[1]
    idle_chip_s = tensor * (pipeline * step_s - parts * costs.latency_s)
    repeats = steps.repeats
    energies = {stage: tensor * parts * (costs.energy_j * repeats).sum(axis=1)}
    crossing = parts * ((within[0] + hops[0]) * repeats).sum()
    if crossing:
        energies[LINK] = crossing * _pj(link)
    if host.any():
        energies[HOST] = tensor * parts * (host * repeats).sum() * _pj(options.to_host)
    idle_s = float((np.maximum(idle_chip_s, 0) * repeats).sum())
    if idle_s:
        energies[IDLE] = idle_s * machine.idle_w
    macs = {array: tensor * parts * float((each * repeats).sum()) for array, each in costs.macs.items()}
    passes = turns * most / model.layers  # through all layers, that take as long
    use = occupied(
        costs.bound_s * passes, tensor * parts * costs.busy_s, within[1] * passes + hops[1], host_s * passes,
        np.stack([parts * (within[0] + hops[0]), tensor * parts * host]), (link, options.to_host), repeats,
    )  # fmt: skip
    return _Run(energies, float((step_s * repeats).sum()), macs, use)


def _with_experts(model: ModelShape, machine: Machine, steps: Steps, options: Options, stage: str) -> _Run:
    """Return energy and time of steps where each chip has a share of the experts and of the sequences."""
    chips, link, bits = options.expert_parallel, options.between_chips, machine.system_machine.vector_bits
    rest = without_experts(model)
    whole, bare = machine.costs(model, steps), machine.costs(rest, steps)
    each = machine.costs(rest, steps._replace(batch=steps.batch / chips))
    moved = expert_traffic(model, link, chips, steps.batch * steps.tokens, bits)
    experts_j = whole.energy_j - bare.energy_j
    host, host_s = _host(
        options, whole.weight_bits - bare.weight_bits + chips * each.weight_bits,
        whole.cache_bits - bare.cache_bits + chips * each.cache_bits,
    )  # fmt: skip
    works_s = (whole.latency_s - bare.latency_s) / chips + each.latency_s
    step_s = np.maximum(works_s, host_s / chips) + moved.seconds
    energies = {
        stage: ((experts_j + chips * each.energy_j) * steps.repeats).sum(axis=1),
        LINK: (moved.bits * steps.repeats).sum() * _pj(link),
        IDLE: float((chips * (step_s - works_s) * steps.repeats).sum()) * machine.idle_w,
    }
    if host.any():
        energies[HOST] = (host * steps.repeats).sum() * _pj(options.to_host)
    macs: dict[str, float] = {}
    for sign, costs in ((1, whole), (-1, bare), (chips, each)):
        for array, count in costs.macs.items():
            macs[array] = macs.get(array, 0.0) + sign * float((count * steps.repeats).sum())
    use = occupied(
        *experts_of(whole, bare, each, chips), moved.seconds, host_s / chips, np.stack([moved.bits, host]),
        (link, options.to_host), steps.repeats,
    )  # fmt: skip
    return _Run(energies, float((step_s * steps.repeats).sum()), macs, use)


def _host(options: Options, weight_bits: Floats, cache_bits: Floats) -> tuple[Floats, Floats]:
    """Return the bits that come from a host's memory, and how long they take."""
    bits = weight_bits * options.weights_offload_share + cache_bits * options.cache_offload_share
    return bits, bits / (options.to_host.bandwidth_gb_per_s * BITS_PER_GB)


def _off_chip_bits_per_s(machine: Machine) -> float:
    return machine.system_machine.off_chip_gb_per_s * BITS_PER_GB


def _pj(link: Link) -> Floats:
    """Return J for each bit, at low, nominal and high prices."""
    return np.array(price_of(link.energy_pj_per_bit)) * J_PER_PJ


def _add(energies: dict[str, Floats], stage: str, energy_j: Floats) -> None:
    energies[stage] = energies.get(stage, np.zeros(3)) + energy_j
