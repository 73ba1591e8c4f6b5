"""Several options of serving at once: closed forms of what chips, links and a host do in all, for each combination."""

from itertools import product

import numpy as np
import pytest

from bitjoule.energy_models.serving.peaks import LIMITS, PEAKS
from bitjoule.energy_models.serving.requests import Workload, serve
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from tests.energy_models.serving.machines import FREE, machine, model, options

BATCH, PROMPT, NEW = 4, 100, 20
WORK = Workload(BATCH, PROMPT, NEW)
MEAN = PROMPT + (NEW + 1) / 2  # keys of a token that is generated
LAYERS, HIDDEN, VOCABULARY, WIDTH = 4, 256, 1000, 16
LINEARS = LAYERS * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512)  # of q and o, k and v, and the FFN; 2 bits each
CACHE_BITS = LAYERS * 2 * 4 * 32 * WIDTH  # of a token: keys and values of 4 heads of 32
J_PER_BIT = 2e-12
RATE = FREE["bandwidth_gb_per_s"] * 8e9  # bits/s
PRICED = {**FREE, "energy_pj_per_bit": 2.0}
STAGES = ((1, 1), (2, 1), (4, 2), (2, 4))  # of a pipeline, and parts of the batch that follow each other
WAYS = [(tensor, *stages, *shares) for tensor, stages, shares in product((1, 4), STAGES, ((0.0, 0.0), (0.5, 0.25)))]


def served(tensor, pipeline, parts, weights, cache, **links):
    way = options(
        tensor_parallel=tensor, pipeline_parallel=pipeline, micro_batches=parts, weights_offload_share=weights,
        cache_offload_share=cache, **({"link": PRICED, "host_link": PRICED} | links),
    )  # fmt: skip
    return serve(WORK, way, model(), machine())


def bits_of(tensor, pipeline, parts, weights, cache):
    """Return what crosses the links between chips and those to a host while tokens are generated."""
    # a ring takes 2 (n - 1) vectors for each of 9 sums and 8 largest magnitudes, and n - 1 for the logits
    ring = (tensor - 1) * (2 * (9 * HIDDEN + 8) + VOCABULARY)
    sent = BATCH * NEW * WIDTH * (ring + (pipeline - 1) * HIDDEN)
    # each part of the batch reads all weights anew
    return {"link": sent, "host_link": weights * 2 * LINEARS * NEW * parts + cache * CACHE_BITS * BATCH * MEAN * NEW}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_all_chips_do_is_counted_once_however_they_share_it(way):
    found, moved = served(*way), bits_of(*way)
    assert found.macs == pytest.approx(
        {
            "adders": LINEARS * BATCH * (PROMPT + NEW),
            "float": BATCH * LAYERS * 2 * HIDDEN * (PROMPT * (PROMPT + 1) / 2 + NEW * MEAN)
            + BATCH * HIDDEN * VOCABULARY * (1 + NEW),
        },
        rel=1e-9,
    )
    expected = {stage: bits * J_PER_BIT for stage, bits in moved.items() if bits}
    links_j = {stage: found.decode_j[stage][1] for stage in moved if stage in found.decode_j}
    assert links_j == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_chips_together_are_as_many_of_a_chip_that_has_its_share_of_the_model(way):
    """One chip alone serves a part of the batch with a share of the heads, the FFN and the vocabulary."""
    tensor, pipeline, parts, *_ = way
    found, on = served(*way), machine()
    share = {"heads": 8, "kv_heads": 4, "ffn": 512, "vocabulary": VOCABULARY}
    shape = model(head_dim=32, **{key: size // tensor for key, size in share.items()})
    alone = serve(Workload(BATCH // parts, PROMPT, NEW), options(), shape, on)
    resources = len(RESOURCES)
    for stage, turns in (("prefill", parts + pipeline - 1), ("decode", max(parts, pipeline))):
        seconds = alone.first_token_s if stage == "prefill" else alone.decode_s
        (energy, use), (own_energy, own_use) = (
            (getattr(each, f"{stage}_j"), getattr(each, f"{stage}_use")) for each in (found, alone)
        )
        assert energy[stage] == pytest.approx(tensor * parts * own_energy[stage], rel=1e-9)
        took = found.first_token_s if stage == "prefill" else found.decode_s
        assert took == pytest.approx(seconds * turns / pipeline, rel=1e-6)
        idle = energy.get("idle", np.zeros(3))
        assert idle == pytest.approx(on.idle_w * tensor * (pipeline * took - parts * seconds), abs=1e-9 * took)
        assert use.busy_s[:resources] == pytest.approx(tensor * parts * own_use.busy_s[:resources], rel=1e-9)
        bounds = len(BOUNDS)
        assert use.bound_s[:bounds] == pytest.approx(own_use.bound_s[:bounds] * turns / pipeline, rel=1e-9)
    for link, bits in bits_of(*way).items():
        assert found.decode_use.busy_s[PEAKS.index(link)] == pytest.approx(bits / RATE, rel=1e-9)


@pytest.mark.parametrize("way", [way for way in WAYS if way[3]], ids=str)
def test_a_slow_host_feeds_all_chips_at_the_same_time(way):
    tensor, pipeline, parts, weights, cache = way
    slow = {**FREE, "bandwidth_gb_per_s": 1e-3}
    of_a_part = (weights * 2 * LINEARS + cache * CACHE_BITS * MEAN * BATCH / parts) / (tensor * pipeline)
    turns = max(parts, pipeline)  # the parts follow each other without a gap, if they are as many as the chips
    found = served(*way, link=FREE, host_link=slow)
    assert found.decode_s == pytest.approx(NEW * turns * of_a_part / 8e6, rel=1e-9)
    assert found.decode_use.bound_s[LIMITS.index("host_link")] == pytest.approx(found.decode_s, rel=1e-9)


@pytest.mark.parametrize(("weights", "cache"), [(0.0, 0.0), (0.5, 0.0), (0.5, 0.25)])
@pytest.mark.parametrize("chips", [1, 2, 4])
def test_experts_come_from_a_host_once_and_the_rest_for_each_chip(chips, weights, cache):
    experts, active = 8, 2
    way = options(
        expert_parallel=chips, weights_offload_share=weights, cache_offload_share=cache, link=PRICED, host_link=PRICED
    )
    found = serve(WORK, way, model(experts=experts, active_experts=active, ffn=1024), machine())
    asked = experts * (1 - (1 - active / experts) ** BATCH)  # experts that any of the sequences chooses
    of_experts = LAYERS * asked * 3 * HIDDEN * 1024 * 2
    attention, router = LAYERS * (2 * 256 * 256 + 2 * 256 * 128) * 2, LAYERS * HIDDEN * experts * WIDTH
    of_cache = cache * CACHE_BITS * BATCH * MEAN * NEW
    once = weights * NEW * (of_experts + chips * attention + router) + of_cache
    host_bits = found.decode_use.busy_s[PEAKS.index("host_link")] * RATE
    assert once * (1 - 1e-9) <= host_bits <= (once + weights * NEW * (chips - 1) * router) * (1 + 1e-9)
    sent = BATCH * NEW * active * LAYERS * 2 * (1 - 1 / chips) * HIDDEN * WIDTH  # there and back
    moved = {"host_link": host_bits, "link": sent}
    expected = {stage: bits * J_PER_BIT for stage, bits in moved.items() if bits}
    assert {stage: found.decode_j[stage][1] for stage in expected} == pytest.approx(expected, rel=1e-9)
    assert found.decode_use.busy_s[PEAKS.index("link")] == pytest.approx(sent / RATE, rel=1e-9)
    linears = LAYERS * (2 * 256 * 256 + 2 * 256 * 128 + active * 3 * HIDDEN * 1024)
    assert found.macs["adders"] == pytest.approx(linears * BATCH * (PROMPT + NEW), rel=1e-9)


@pytest.mark.parametrize("chips", [1, 2, 4])
def test_shared_experts_come_from_a_host_for_each_chip(chips):
    experts, active, shared = 8, 2, 512
    way = options(expert_parallel=chips, weights_offload_share=1.0, link=PRICED, host_link=PRICED)
    found = serve(WORK, way, model(experts=experts, active_experts=active, ffn=1024, shared_ffn=shared), machine())
    asked = experts * (1 - (1 - active / experts) ** BATCH)
    of_experts = LAYERS * asked * 3 * HIDDEN * 1024 * 2
    on_each = LAYERS * (2 * 256 * 256 + 2 * 256 * 128 + 3 * HIDDEN * shared) * 2
    router = LAYERS * HIDDEN * experts * WIDTH
    host_bits = found.decode_use.busy_s[PEAKS.index("host_link")] * RATE
    assert host_bits == pytest.approx(NEW * (of_experts + chips * on_each + router), rel=1e-9)
