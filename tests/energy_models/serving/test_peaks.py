"""What bounds the time of serving, and the shares of the peaks: closed forms of links, and conservation."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import PHASES, Cases
from bitjoule.energy_models.serving.peaks import HOST, LIMITS, LINK, PEAKS, Occupied, experts_of
from bitjoule.energy_models.serving.requests import Workload, serve
from bitjoule.energy_models.serving.steps import StepCosts
from bitjoule.energy_models.system.counting.utilisation import OFF_CHIP, RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.system import System
from tests.energy_models.serving.machines import FREE, machine, model, options

WORK = Workload(batch=4, prompt_tokens=100, new_tokens=20)
GB_PER_S = 10.0
SLOW = {"energy_pj_per_bit": 1.0, "bandwidth_gb_per_s": GB_PER_S, "latency_us": 1.0}
BITS_PER_S = GB_PER_S * 8e9
ROWS = 4 * 100  # tokens of the prompts
WIDTH = 16  # bits of a value between the linears
MIXTURE = {"experts": 8, "active_experts": 2}


def of(shares, name):
    return shares[PEAKS.index(name)]


@pytest.mark.parametrize(
    ("way", "changes"),
    [
        ({}, {}),
        ({"tensor_parallel": 4}, {}),
        ({"pipeline_parallel": 2, "micro_batches": 2}, {}),
        ({"tensor_parallel": 2, "pipeline_parallel": 3}, {}),
        ({"weights_offload_share": 0.5, "cache_offload_share": 0.3}, {}),
        ({"block_tokens": 16, "chunk_tokens": 32}, {}),
        ({"expert_parallel": 4, "weights_offload_share": 0.5}, MIXTURE),
        ({"decode_platform": "ternary-hbm-90w"}, {}),
    ],
)
def test_the_time_of_a_phase_is_that_of_all_that_bounds_it_and_no_peak_is_exceeded(way, changes):
    served = serve(WORK, options(link=SLOW, host_link=SLOW, **way), model(**changes), machine(), decoder=machine())
    for use, seconds in ((served.prefill_use, served.first_token_s), (served.decode_use, served.decode_s)):
        assert use.bound_s.sum() == pytest.approx(seconds, rel=1e-12)
        assert (use.bound_s >= 0).all()
        assert (use.busy_s <= served.chips * seconds * (1 + 1e-12)).all()


def test_one_chip_uses_what_the_system_accounting_says():
    shape, on = model(), machine()
    served = serve(WORK, options(), shape, on)
    system = System([shape], [on.scheme], [on.technology], [[(on.name, on.platform)]], phases=PHASES)
    zero = np.zeros(1, dtype=np.intp)
    times = system.evaluate(Cases(zero, zero, *(np.array([float(size)]) for size in WORK)), zero, zero).times
    for i, use in enumerate((served.prefill_use, served.decode_use)):
        assert use.busy_s[: len(RESOURCES)] == pytest.approx(times.busy[0, i].sum(axis=0), rel=1e-6)
        # a step takes whole cycles, and so does a phase of several
        cycles_s = WORK.new_tokens / on.system_machine.clock_mhz / 1e6
        assert use.bound_s[: len(BOUNDS)] == pytest.approx(times.seconds[0, i].sum(axis=0), rel=1e-6, abs=cycles_s)
        assert of(use.shares(1), LINK) == of(use.shares(1), HOST) == 0


@pytest.mark.parametrize("chips", [2, 4])
def test_chips_that_share_matrices_send_what_a_ring_sends(chips):
    served = serve(WORK, options(tensor_parallel=chips, link=SLOW), model(), machine("fp16", "fp16-hbm-90w"))
    # of each vector 2 (n - 1) / n: behind attention and FFN of 4 layers, and the embedding; of logits (n - 1) / n
    per_token = 2 * (chips - 1) / chips * 256 * WIDTH * 9
    logits = (chips - 1) / chips * 4 * 1000 * WIDTH
    prefill = (ROWS * per_token + logits) / BITS_PER_S / served.first_token_s
    decode = 20 * (4 * per_token + logits) / BITS_PER_S / served.decode_s
    assert of(served.prefill_use.shares(chips), LINK) == pytest.approx(prefill, rel=1e-12)
    assert of(served.decode_use.shares(chips), LINK) == pytest.approx(decode, rel=1e-12)
    waits = 9 * 2 * (chips - 1) + chips - 1  # messages of 1 us
    expected = prefill * served.first_token_s + waits * 1e-6
    assert served.prefill_use.bound_s[LIMITS.index(LINK)] == pytest.approx(expected, rel=1e-12)


def test_a_pipeline_sends_a_vector_from_chip_to_chip_and_its_chips_wait():
    way = options(pipeline_parallel=4, link=SLOW)
    served = serve(WORK, way, model(), machine())
    sent = 3 * ROWS * 256 * WIDTH / BITS_PER_S  # of the last chip nothing
    assert of(served.prefill_use.shares(4), LINK) == pytest.approx(sent / 4 / served.first_token_s, rel=1e-12)
    alone, piped = (serve(WORK, options(link=FREE, pipeline_parallel=n), model(), machine()) for n in (1, 4))
    # one batch: a quarter of the chips works at a time, for as long as one chip alone
    assert piped.first_token_s == pytest.approx(alone.first_token_s, rel=1e-6)
    ours, theirs = piped.prefill_use.shares(4), alone.prefill_use.shares(1)
    assert ours[: len(RESOURCES)] == pytest.approx(theirs[: len(RESOURCES)] / 4, rel=1e-6)


def test_experts_on_other_chips_get_their_tokens_over_the_links():
    served = serve(WORK, options(expert_parallel=4, link=SLOW), model(**MIXTURE), machine())
    # to 2 experts in 4 layers and back, three quarters of the tokens to other chips
    sent = ROWS * 2 * 4 * 2 * 0.75 * 256 * WIDTH / 4 / BITS_PER_S  # seconds of each chip
    assert of(served.prefill_use.shares(4), LINK) == pytest.approx(sent / served.first_token_s, rel=1e-12)


def test_keys_and_values_cross_to_the_chips_that_decode():
    served = serve(WORK, options(decode_platform="x", link=SLOW), model(), machine(), decoder=machine())
    sent = ROWS * 4 * 2 * 4 * 32 * WIDTH / BITS_PER_S  # of 4 layers, 4 heads of 32
    assert of(served.prefill_use.shares(1), LINK) == pytest.approx(sent / served.first_token_s, rel=1e-12)
    assert of(served.decode_use.shares(1), LINK) == 0


def test_a_slow_host_bounds_all_of_a_step_and_a_fast_one_nothing():
    for rate, share in ((0.01, 1.0), (1e6, 0.0)):
        way = options(weights_offload_share=1.0, host_link=SLOW | {"bandwidth_gb_per_s": rate})
        served = serve(WORK, way, model(), machine())
        assert served.decode_use.bound_s[LIMITS.index(HOST)] == pytest.approx(share * served.decode_s, rel=1e-12)
        assert of(served.decode_use.shares(1), HOST) == pytest.approx(share, abs=1e-3)


def test_tables_of_blocks_are_read_at_the_share_of_the_bandwidth_that_is_reached():
    use = Occupied.of_reads(3.0, 0.8)
    assert use.bound_s.sum() == use.bound_s[BOUNDS.index("off_chip")] == 3.0
    assert use.busy_s.sum() == use.busy_s[OFF_CHIP] == pytest.approx(2.4)
    assert (Occupied.nothing().shares(2) == 0).all()


def costs(bound_s, busy_s):
    bound, busy = (np.array(values, dtype=np.float64)[:, None] for values in (bound_s, busy_s))
    none = np.zeros(1)
    return StepCosts(np.zeros((3, 1)), bound.sum(axis=0), none, none, {}, bound, busy)


def test_experts_are_the_difference_and_what_is_slower_without_them_is_not_negative():
    whole = costs([8.0, 0.0, 4.0, 1.0], [6.0, 0, 0, 0, 0, 3.0])
    bare = costs([2.0, 1.5, 0.0, 1.0], [2.0, 0, 0, 0, 0, 1.0])
    each = costs([1.0, 0.5, 0.0, 0.5], [0.5, 0, 0, 0, 0, 0.25])
    bound_s, busy_s = experts_of(whole, bare, each, 2)
    # compute 6 / 2 + 1, buffer 0.5 - 1.5 / 2 is none, off-chip 4 / 2, latency 0.5: of 6.5 instead of (13 - 4.5) / 2 + 2
    assert bound_s[:, 0] == pytest.approx(np.array([4, 0, 2, 0.5]) * 6.25 / 6.5, rel=1e-12)
    assert busy_s[:, 0].tolist() == [4 + 2 * 0.5, 0, 0, 0, 0, 2 + 2 * 0.25]
