"""Requests served in one way: equal to the system accounting where nothing is special, and to hand-worked counts."""

import numpy as np
import pytest
from pydantic import ValidationError

from bitjoule.energy_models.architecture.phases import PHASES, Cases
from bitjoule.energy_models.serving.requests import Workload, prefill_steps, serve
from bitjoule.energy_models.serving.steps import Machine
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.workload import Experts
from tests.energy_models.serving.machines import FREE, decode_j, machine, model, options, prefill_j

WORK = Workload(batch=4, prompt_tokens=100, new_tokens=20)


def per_request(shape, on):
    """Energies of prefill and decode, and their latencies, as `accounting: system` counts them."""
    system = System([shape], [on.scheme], [on.technology], [[(on.name, on.platform)]], phases=PHASES)
    zero = np.zeros(1, dtype=np.intp)
    sizes = (np.array([float(size)]) for size in WORK)
    evaluated = system.evaluate(Cases(zero, zero, *sizes), zero, zero)
    energies = evaluated.energies.nominal_pj.reshape(2, -1).sum(axis=1) * 1e-12
    return energies, evaluated.latency_s[0]


@pytest.mark.parametrize("changes", [{}, {"experts": 4, "active_experts": 2}, {"window": 32}])
def test_a_plain_request_costs_what_the_system_accounting_counts(changes):
    shape, on = model(**changes), machine()
    served = serve(WORK, options(), shape, on)
    energies, latency = per_request(shape, on)
    # a step takes whole cycles, and so does a phase of several
    cycles_s = WORK.new_tokens / on.system_machine.clock_mhz / 1e6
    assert (served.first_token_s, served.decode_s) == pytest.approx(latency, abs=cycles_s, rel=1e-12)
    assert (prefill_j(served), decode_j(served)) == pytest.approx(energies, abs=90 * cycles_s, rel=1e-12)
    assert set(served.prefill_j) == {"prefill"}
    assert set(served.decode_j) == {"decode"}


def test_chunks_take_every_token_once_and_the_head_runs_for_the_last():
    steps = prefill_steps(options(chunk_tokens=32), batch=2, prompt=100, cached=10)
    # 90 tokens: 32 + 32 behind a mean of (10 + 42) / 2 tokens, then 26 behind 74
    assert np.array(steps).T.tolist() == [[32, 26, 2, 0, 2], [26, 74, 2, 1, 1]]
    whole = prefill_steps(options(), batch=2, prompt=100, cached=0)
    assert np.array(whole).T.tolist() == [[100, 0, 2, 1, 1]]


def test_a_cached_prefix_is_not_computed_again_and_chunks_of_a_token_cost_more():
    shape, on = model(), machine()
    plain = serve(WORK, options(), shape, on)
    half = serve(WORK, options(prefix_hit_share=0.5), shape, on)
    all_but_one = serve(WORK, options(prefix_hit_share=1.0), shape, on)
    assert prefill_j(all_but_one) < prefill_j(half) < prefill_j(plain)
    assert decode_j(half) == decode_j(plain)
    assert prefill_j(serve(WORK, options(chunk_tokens=1), shape, on)) > prefill_j(plain)


def test_speculative_decoding_follows_the_closed_form_of_its_paper():
    # equation 1 of Leviathan et al.: (1 - a^(g + 1)) / (1 - a), for a = 0.8, g = 4 the sum 1 + .8 + .64 + .512 + .4096
    way = options(draft="small", draft_tokens=4, acceptance=0.8)
    assert way.tokens_per_round == pytest.approx(1 + 0.8 + 0.64 + 0.512 + 0.4096, rel=1e-14)
    assert options(draft="small", draft_tokens=4, acceptance=1.0).tokens_per_round == 5
    assert options(draft="small", draft_tokens=4, acceptance=0.0).tokens_per_round == 1


def test_a_draft_that_is_never_accepted_costs_more_than_none_and_the_better_the_less():
    shape, on, small = model(), machine(), (model(layers=1), machine())
    energies = [decode_j(serve(WORK, options(), shape, on))]
    for acceptance in (0.0, 0.5, 1.0):
        way = options(draft="small", draft_tokens=3, acceptance=acceptance)
        served = serve(WORK, way, shape, on, small)
        energies.append(decode_j(served))
        assert set(served.decode_j) == {"decode", "draft"}
    assert energies[1] > energies[0]
    assert energies[1] > energies[2] > energies[3]
    # rounds are inversely proportional to what they yield, 1, 1.875 and 4 tokens; the draft's prefill is apart
    rounds = np.array(energies[1:]) - energies[3]
    assert (rounds[0] - rounds[1]) / rounds[0] == pytest.approx((1 - 1 / 1.875) / (1 - 1 / 4), rel=1e-9)


def test_a_draft_keeps_its_weights_and_its_cache_beside_the_model():
    way, small = options(draft="small", draft_tokens=3, acceptance=0.5), model(layers=1)
    alone = serve(WORK, options(), model(), machine())
    with_draft = serve(WORK, way, model(), machine(), (small, machine()))
    itself = serve(WORK, options(), small, machine())
    assert with_draft.cache == alone.cache
    kept = itself.stored_bytes + itself.cache.allocated
    assert with_draft.stored_bytes == pytest.approx(alone.stored_bytes + kept, rel=1e-12)


def test_a_draft_keeps_a_chip_s_share_of_what_is_not_on_a_host():
    ways = {"tensor_parallel": 2, "link": FREE, "cache_offload_share": 0.25, "host_link": FREE}
    small, on = model(layers=2), machine()
    with_draft = serve(WORK, options(draft="small", draft_tokens=3, acceptance=0.5, **ways), model(), on, (small, on))
    alone, itself = (serve(WORK, options(**ways), shape, on).stored_bytes for shape in (model(), small))
    cache = 4 * 120 * 2 * 2 * 128 * 2  # sequences x tokens x layers x keys and values of 4 heads of 32
    assert with_draft.stored_bytes == pytest.approx(alone + itself + cache * 0.75 / 2, rel=1e-12)


def test_blocks_cost_the_reading_of_their_tables_alone():
    shape, on = model(), machine()
    plain, paged = serve(WORK, options(), shape, on), serve(WORK, options(block_tokens=16), shape, on)
    # 4 layers x 4 sequences x ceil(110.5 / 16) entries of 32 bits, in 20 steps; HBM2 at 7 nm: 350 pJ for 64 bits
    expected = 4 * 4 * 7 * 32 * 20 * 350 / 64 * 1e-12
    assert paged.decode_j["block_tables"][1] == pytest.approx(expected, rel=1e-12)
    assert decode_j(paged) - decode_j(plain) == pytest.approx(expected, rel=1e-6)


def test_tables_hold_the_token_that_a_step_makes():
    # the mean step of 20 has 100 + 9.5 tokens before its own: 110.5 lie in two blocks of 110
    paged = serve(WORK, options(block_tokens=110), model(), machine())
    expected = 4 * 4 * 2 * 32 * 20 * 350 / 64 * 1e-12
    assert paged.decode_j["block_tables"][1] == pytest.approx(expected, rel=1e-12)


def test_tables_are_read_at_the_price_of_a_read():
    on = machine()
    priced = {"memory": None, "read_pj_per_bit": 5.0, "write_pj_per_bit": 7.0}
    platform = on.platform.model_copy(update={"off_chip": on.platform.off_chip.model_copy(update=priced)})
    apart = Machine("apart", platform, on.scheme, on.technology, Objective.ENERGY, Experts.EXPECTED)
    tables = serve(WORK, options(block_tokens=16), model(), apart).decode_j["block_tables"]
    assert tables == pytest.approx(np.full(3, 4 * 4 * 7 * 32 * 20 * 5e-12), rel=1e-12)


def test_a_round_of_a_draft_reads_the_tables_of_blocks_once():
    keys = {"draft": "small", "draft_tokens": 3, "acceptance": 0.5}
    shape, on, small = model(), machine(), (model(layers=1), machine())
    plain = serve(WORK, options(**keys), shape, on, small)
    paged = serve(WORK, options(**keys, block_tokens=16), shape, on, small)
    # as above, but 20 tokens take 20 / (1 + 1/2 + 1/4 + 1/8) rounds
    expected_bits = 4 * 4 * 7 * 32 * 20 / 1.875
    assert paged.decode_j["block_tables"][1] == pytest.approx(expected_bits * 350 / 64 * 1e-12, rel=1e-12)
    assert decode_j(paged) - decode_j(plain) == pytest.approx(expected_bits * 350 / 64 * 1e-12, rel=1e-6)
    assert paged.decode_s - plain.decode_s == pytest.approx(
        expected_bits / (on.platform.off_chip.bandwidth_gb_per_s * 8e9), rel=1e-6
    )


def test_two_chips_of_a_full_pipeline_with_free_links_cost_what_one_does():
    shape, on = model(), machine()
    one = serve(WORK._replace(batch=2), options(), shape, on)  # a micro-batch
    two = serve(WORK, options(micro_batches=2, pipeline_parallel=2, link=FREE), shape, on)
    assert decode_j(two) == pytest.approx(2 * decode_j(one), rel=1e-9)
    assert two.decode_s == pytest.approx(one.decode_s, rel=1e-9)
    assert two.stored_bytes < one.stored_bytes
    # one micro-batch leaves a chip of two idle half of the time
    half = serve(WORK, options(pipeline_parallel=2, link=FREE), shape, on)
    plain = serve(WORK, options(), shape, on)
    idle_j = plain.decode_s * 90  # W, what the platform draws
    assert decode_j(half) - decode_j(plain) == pytest.approx(idle_j, rel=1e-6)


def test_a_prefill_through_a_pipeline_fills_and_drains_it():
    shape, on = model(), machine()
    one = serve(WORK._replace(batch=1), options(), shape, on)  # a micro-batch
    piped = serve(WORK, options(micro_batches=4, pipeline_parallel=2, link=FREE), shape, on)
    assert piped.first_token_s == pytest.approx(one.first_token_s * (4 + 2 - 1) / 2, rel=1e-9)


def test_chips_that_share_matrices_cost_the_links_and_what_each_repeats():
    shape, on = model(), machine()
    one = serve(WORK, options(), shape, on)
    free = serve(WORK, options(tensor_parallel=2, link=FREE), shape, on)
    linked = serve(WORK, options(tensor_parallel=2, link={**FREE, "energy_pj_per_bit": 2.0}), shape, on)
    assert free.decode_s < one.decode_s
    # a step of 4 rows: 2 x 4 + 1 vectors of 256 values of 16 bits, each crossing 2 links in all, and 8 largest
    # magnitudes; 1000 logits of each sequence, half of which the other chip has
    bits = 4 * 16 * (2 * (2 * 4 + 1) * 256 + 2 * (2 * 4) * 1 + 1000)
    assert linked.decode_j["link"][1] == pytest.approx(bits * 20 * 2.0e-12, rel=1e-12)


def test_own_scales_of_each_chip_need_no_reduction():
    shape, on = model(), machine()
    link = {**FREE, "energy_pj_per_bit": 2.0}
    together, own = (
        serve(WORK, options(tensor_parallel=2, link=link, reduce_statistics=reduces), shape, on).decode_j["link"][1]
        for reduces in (True, False)
    )
    assert together - own == pytest.approx(4 * 16 * 2 * (2 * 4) * 20 * 2.0e-12, rel=1e-9)
    floats = machine("fp16", "fp16-hbm-90w")
    together, own = (
        serve(WORK, options(tensor_parallel=2, link=link, reduce_statistics=reduces), shape, floats).decode_j["link"][1]
        for reduces in (True, False)
    )
    assert together == own  # floating-point inputs have no scale


def test_experts_on_two_chips_with_free_links_read_no_more_weights_and_take_less_time():
    shape, on = model(experts=8, active_experts=2, ffn=1024), machine()
    one = serve(WORK, options(), shape, on)
    two = serve(WORK, options(expert_parallel=2, link=FREE), shape, on)
    assert two.decode_s < one.decode_s
    linked = serve(WORK, options(expert_parallel=2, link={**FREE, "energy_pj_per_bit": 2.0}), shape, on)
    # 4 tokens to 2 experts in 4 layers and back, half of them on the other chip: 256 values of 16 bits each
    assert linked.decode_j["link"][1] == pytest.approx(4 * 2 * 4 * 2 * 0.5 * 256 * 16 * 20 * 2e-12, rel=1e-12)


def test_weights_on_a_host_cross_its_link():
    shape, on = model(), machine()
    link = {**FREE, "energy_pj_per_bit": 2.0}
    served = serve(WORK, options(weights_offload_share=0.5, host_link=link), shape, on)
    # a step reads every linear once: per layer q and o 256 x 256, k and v 256 x 128, three of 256 x 512, at 2 bits
    bits = 2 * 4 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512)
    assert served.decode_j["host_link"][1] == pytest.approx(bits * 0.5 * 20 * 2e-12, rel=1e-9)
    slow = serve(WORK, options(weights_offload_share=0.5, host_link={**link, "bandwidth_gb_per_s": 1e-3}), shape, on)
    assert slow.decode_s == pytest.approx(20 * bits * 0.5 / 8e6, rel=1e-9)


def test_a_chip_keeps_what_is_not_on_a_host_of_its_stage():
    ways = {"pipeline_parallel": 2, "micro_batches": 2, "link": FREE, "host_link": FREE}
    kept = [serve(WORK, options(**ways, weights_offload_share=share), model(), machine()).stored_bytes
            for share in (0.0, 0.75)]  # fmt: skip
    # linears of 2 bits, and gains of 2 norms a layer and of the last one in FP16; tables are on every stage
    layers = 4 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512) * 2 / 8 + (4 * 2 + 1) * 256 * 2
    assert kept[0] - kept[1] == pytest.approx(0.75 * layers / 2, rel=1e-12)
    assert kept[0] == pytest.approx(serve(WORK, options(), model(), machine()).stored_bytes - layers / 2, rel=1e-12)


def test_another_machine_decodes_and_gets_the_cache():
    shape, on = model(), machine()
    link = {**FREE, "energy_pj_per_bit": 2.0}
    way = options(decode_platform="other", link=link)
    served = serve(WORK, way, shape, on, decoder=machine(platform="ternary-hbm"))
    plain = serve(WORK, options(), shape, machine(platform="ternary-hbm"))
    assert decode_j(served) == decode_j(plain)
    bits = 4 * 100 * 4 * 2 * 128 * 16  # sequences x tokens x layers x keys and values of 4 heads of 32
    assert served.prefill_j["link"][1] == pytest.approx(bits * 2e-12, rel=1e-12)


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"draft": "small"}, "draft without draft_tokens"),
        ({"draft_tokens": 2}, "draft_tokens without draft"),
        ({"draft": "small", "draft_tokens": 2}, "draft without acceptance"),
        ({"acceptance": 0.5}, "acceptance without a draft model"),
        ({"block_tokens": 16, "reserved_tokens": 64}, "a contiguous cache that is in blocks"),
        ({"requests_per_s": 1.0}, "requests_per_s without max_batch"),
        ({"max_batch": 8}, "max_batch without requests_per_s; expected both, or neither"),
        (
            {"requests_per_s": 0, "max_batch": 8},
            "no requests for a max_batch of 8; expected more than 0, or neither of both",
        ),
        ({"token_target_s": 1.0}, "token_target_s without requests_per_s"),
        (
            {"micro_batches": 2, "tensor_parallel": 2},
            "2 micro-batches without a pipeline; expected pipeline_parallel",
        ),
        ({"new_lengths": "fixed"}, "new_lengths without requests_per_s; expected requests_per_s and max_batch"),
        (
            {"requests_per_s": 1.0, "max_batch": 8, "prompt_spread": 0.5, "prompt_lengths": {"uniform": 0.5}},
            "prompt_spread with prompt_lengths; expected one of the two",
        ),
        ({"expert_parallel": 2, "tensor_parallel": 2}, "experts on several chips with tensor_parallel"),
        ({"requests_per_s": 1.0, "max_batch": 8, "pipeline_parallel": 2}, "continuous batching with pipeline_parallel"),
    ],
)
def test_options_that_do_not_go_together_are_refused(keys, wrong):
    with pytest.raises(ValidationError, match=wrong):
        options(**keys)


def test_the_macs_of_all_chips_are_those_of_the_model_by_array():
    shape, on = model(), machine()
    linears = 4 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512)  # of a token, on the adders
    for way in ({}, {"tensor_parallel": 2, "link": FREE}, {"pipeline_parallel": 2, "micro_batches": 2, "link": FREE}):
        served = serve(WORK, options(**way), shape, on)
        assert served.macs["adders"] == pytest.approx(linears * 4 * (100 + 20), rel=1e-12)
        # 8 heads of 32 see each key twice, scores and values; (1 + 100) / 2 keys in prefill, 110.5 in decode; the head
        attention = 4 * 4 * 2 * 8 * 32 * (100 * 50.5 + 20 * 110.5)
        assert served.macs["float"] == pytest.approx(attention + 4 * 21 * 256 * 1000, rel=1e-12)


def test_experts_of_several_chips_run_the_macs_of_one():
    shape, on = model(experts=8, active_experts=2), machine()
    one, two = (serve(WORK, options(expert_parallel=chips, link=FREE), shape, on) for chips in (1, 2))
    assert set(one.macs) == set(two.macs)
    for array, macs in one.macs.items():
        assert two.macs[array] == pytest.approx(macs, rel=1e-9)


def test_each_of_two_machines_has_its_arrays_and_what_it_holds():
    shape, first, second = model(), machine(), machine(platform="ternary-hbm")
    both = serve(WORK, options(decode_platform="other", link=FREE), shape, first, decoder=second)
    assert {name.split()[0] for name in both.macs} == {"ternary-hbm-90w", "ternary-hbm"}
    plain = serve(WORK, options(), shape, first)
    assert sum(both.macs.values()) == pytest.approx(sum(plain.macs.values()), rel=1e-12)
    # weights and tables, and keys and values of 4 prompts of 100 tokens in 4 layers of 2 x 128 values
    assert both.prefill_bytes == pytest.approx(plain.stored_bytes + 4 * 100 * 4 * 2 * 128 * 2, rel=1e-12)
    assert plain.prefill_bytes == 0


def test_a_prefill_machine_keeps_whole_blocks_and_sends_what_they_hold():
    shape, first, second = model(), machine(), machine("bitnet-b1.58-5in8")
    link = {**FREE, "energy_pj_per_bit": 2.0}
    served = serve(WORK, options(decode_platform="other", block_tokens=32, link=link), shape, first, decoder=second)
    a_token = 4 * 4 * 2 * 128 * 2  # bytes: sequences x layers x keys and values of 4 heads of 32
    assert served.prefill_j["link"][1] == pytest.approx(a_token * 100 * 8 * 2e-12, rel=1e-12)
    own, decodes = (serve(WORK, options(), shape, on).stored_bytes for on in (first, second))
    assert own != decodes
    assert served.prefill_bytes == pytest.approx(own + a_token * 128, rel=1e-12)
    assert served.stored_bytes == decodes


def test_a_prefill_machine_keeps_the_share_of_the_cache_that_is_not_on_a_host_on_all_of_its_chips():
    ways = {"pipeline_parallel": 2, "micro_batches": 2, "link": FREE}
    keys = {**ways, "decode_platform": "other", "cache_offload_share": 0.25, "host_link": FREE}
    served = serve(WORK, options(**keys), model(), machine(), decoder=machine())
    whole = 4 * 100 * 4 * 2 * 128 * 2
    weights = serve(WORK, options(**ways), model(), machine()).stored_bytes
    assert served.prefill_bytes == pytest.approx(weights + whole * 0.75 / 2, rel=1e-12)


def test_the_head_of_a_draft_runs_for_what_it_drafts_alone():
    way = options(draft="small", draft_tokens=3, acceptance=0.0)
    few, many = (
        sum(serve(WORK, way, model(vocabulary=words), machine(), (model(layers=1, vocabulary=words), machine()))
            .macs.values())
        for words in (500, 1000)
    )  # fmt: skip
    # 4 sequences, 20 rounds: the model's head for the first token and for 1 + 3 a round, the draft's for 3 a round
    assert many - few == pytest.approx(4 * 500 * 256 * (1 + 20 * 4 + 20 * 3), rel=1e-9)


def test_a_draft_runs_on_the_machine_that_decodes():
    way, small = {"draft": "small", "draft_tokens": 2, "acceptance": 0.5}, model(layers=1)
    second = machine(platform="ternary-hbm")
    split = options(**way, decode_platform="other", link=FREE)
    both = serve(WORK, split, model(), machine(), (small, second), second)
    there = serve(WORK, options(**way), model(), second, (small, second))
    assert both.decode_j["draft"][1] == there.decode_j["draft"][1]
