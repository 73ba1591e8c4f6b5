"""Times beside the counted work: what they add, in closed form, and that nothing changes without them."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.system.counting.utilisation import ARRAY
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.platform.overheads import Meter, Overheads
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from bitjoule.energy_models.system.platform.static_power import StaticPower
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.requests import evaluate, system

BATCH, PROMPT, NEW = 3, 40, 5
MODEL = presets()["bitnet-b1.58-700m"]
LINEARS = 7  # q, k, v, o, gate, up and down


def machine(share=1.0, **overheads):
    edge = platforms()["ternary-edge"]
    arrays = {name: array.model_copy(update={"achieved_share": share}) for name, array in edge.arrays.items()}
    return edge.model_copy(update={"arrays": arrays, "overheads": Overheads(**overheads) if overheads else None})


def added_s(of="bitnet-b1.58-700m", share=1.0, scheme="bitnet-b1.58", sizes=(BATCH, PROMPT, NEW), **overheads):
    """Return the seconds that overheads add to each phase."""
    with_them, without = (
        evaluate(system(of, scheme, machine=m), *sizes) for m in (machine(share, **overheads), machine())
    )
    np.testing.assert_allclose(with_them.times.seconds.sum(axis=(2, 3)), with_them.latency_s, rtol=1e-12)
    assert (with_them.times.seconds >= 0).all()
    return with_them.latency_s[0] - without.latency_s[0]


def test_a_step_takes_its_fixed_time_and_one_for_each_sequence():
    cycle_s = 1 / MET_MHZ["7nm"] / 1e6
    expected = [200e-6 + BATCH * 7e-6, NEW * (200e-6 + BATCH * 7e-6)]
    np.testing.assert_allclose(added_s(step_us=200.0, request_us=7.0), expected, atol=cycle_s)


def test_each_matrix_is_launched_once_in_each_step():
    launches = LINEARS * MODEL.layers + 1  # and the LM head
    cycle_s = 1 / MET_MHZ["7nm"] / 1e6
    expected = [launches * 10e-6, NEW * launches * 10e-6]
    np.testing.assert_allclose(added_s(matmul_us=10.0), expected, atol=cycle_s)


def test_each_output_of_a_matrix_takes_its_time_beside_all_else():
    """Rows of all linears of a layer for each token; the LM head's for each sequence."""
    outputs = 2 * MODEL.hidden + 2 * MODEL.kv_heads * MODEL.head_dim + 2 * MODEL.ffn + MODEL.hidden
    cycle_s = 1 / MET_MHZ["7nm"] / 1e6
    tokens = np.array([PROMPT, NEW]) * BATCH
    heads = np.array([1, NEW]) * BATCH
    expected = 3e-9 * (tokens * outputs * MODEL.layers + heads * MODEL.vocabulary)
    np.testing.assert_allclose(added_s(output_ns=3.0), expected, atol=cycle_s)


def test_the_experts_of_a_layer_share_a_launch():
    shape = presets()["mixtral-8x7b"]
    launches = (4 + 1 + 3) * shape.layers + 1  # attention, router, three matrices of the experts; LM head
    added = added_s("mixtral-8x7b", matmul_us=10.0)
    np.testing.assert_allclose(added, [launches * 10e-6, NEW * launches * 10e-6], rtol=1e-6)


def test_weights_that_are_unpacked_slowly_take_as_long_as_that():
    m, k, n = 2, 640, 320
    rate = 1e6
    found = evaluate(system(Matmul(m, k, n), machine=machine(unpack_weights_per_s={"ternary2": rate})), 1, m, 0)
    plain = evaluate(system(Matmul(m, k, n), machine=machine()), 1, m, 0)
    seconds = found.times.seconds[0, 0].sum(axis=0)
    assert seconds[BOUNDS.index("compute")] == pytest.approx(k * n / rate, rel=1e-6)
    filling = plain.times.seconds[0, 0].sum(axis=0)[BOUNDS.index("latency")]
    assert found.latency_s[0, 0] == pytest.approx(k * n / rate + filling, rel=1e-6)


def test_units_that_unpack_and_compute_in_turn_take_the_sum_of_both():
    m, k, n = 64, 640, 320
    rate = 1e9
    rates = {"unpack_weights_per_s": {"ternary2": rate}}
    found, after = (
        evaluate(system(Matmul(m, k, n), machine=machine(**rates, unpack_in_turn=each)), 1, m, 0).times
        for each in (False, True)
    )
    compute = BOUNDS.index("compute")
    busy = found.busy[0, 0].sum(axis=0)
    assert found.seconds[..., compute].sum() == pytest.approx(max(busy[ARRAY], k * n / rate), rel=1e-4)
    assert after.seconds[..., compute].sum() == pytest.approx(busy[ARRAY] + k * n / rate, rel=1e-4)


def test_a_rate_by_storage_goes_before_one_by_format_and_others_are_not_unpacked():
    rates = Overheads(unpack_weights_per_s={"ternary2": 3.0, "ternary": 2.0})
    assert rates.unpack_rate("ternary2", "ternary") == 3.0
    assert rates.unpack_rate("as_stored", "ternary") == 2.0
    assert rates.unpack_rate("fp16", "fp16") == np.inf
    assert (added_s(scheme="fp16", unpack_weights_per_s={"ternary": 1.0}) == 0).all()


def test_unpacking_that_keeps_up_with_memory_takes_no_time():
    gb_per_s = machine().off_chip.bandwidth_gb_per_s
    weights_per_s = gb_per_s * 8e9 / 2  # ternary2 has two bits
    added = added_s(unpack_weights_per_s={"ternary2": 1.001 * weights_per_s}, sizes=(1, 0, NEW))
    assert added[1] == pytest.approx(0, abs=1e-9)
    assert added_s(unpack_weights_per_s={"ternary2": 0.5 * weights_per_s}, sizes=(1, 0, NEW))[1] > 0


def test_half_the_peak_takes_twice_the_time_where_compute_bounds():
    m, k, n = 64, 640, 320  # on the few FP16 MACs
    products = [system(Matmul(m, k, n), "fp16", machine=machine(share)) for share in (0.5, 1.0)]
    half, peak = (evaluate(found, 1, m, 0).times.seconds[0, 0].sum(axis=0) for found in products)
    compute = BOUNDS.index("compute")
    assert peak[compute] > 0
    assert half[compute] == pytest.approx(2 * peak[compute], rel=1e-6)


def test_static_watts_flow_in_the_added_time_too():
    slow = machine(step_us=500.0)
    platforms_ = [slow.model_copy(update={"static": static}) for static in (StaticPower(host=2.0), None)]
    found, without = (evaluate(system(machine=platform), 1, 8, NEW) for platform in platforms_)
    columns = system(machine=slow).columns
    host = [column.component == "static" and column.operand == "host" for column in columns]
    joules = found.energies.nominal_pj[0, host] * 1e-12
    np.testing.assert_allclose(joules, 2.0 * found.latency_s[0], rtol=1e-12)
    np.testing.assert_array_equal(found.latency_s, without.latency_s)


def test_keys_that_say_nothing_change_nothing():
    plain = evaluate(system(machine=machine()), BATCH, PROMPT, NEW)
    said = machine().model_copy(update={"overheads": Overheads(), "meter": Meter(scope="rail", idle="net", idle_w=3)})
    same = evaluate(system(machine=said), BATCH, PROMPT, NEW)
    np.testing.assert_array_equal(same.latency_s, plain.latency_s)
    np.testing.assert_array_equal(same.energies.nominal_pj, plain.energies.nominal_pj)


RATES = "overheads: {unpack_weights_per_s: {%s}}"
WRONG = {
    RATES % "ternary_2: 1e12": "unpack_weights_per_s.ternary_2: unknown storage 'ternary_2' (did you mean 'ternary2'?)",
    RATES % "ternary2: 0.0": "unpack_weights_per_s.ternary2: got 0; expected weights per second, above 0",
    "overheads: {step_us: -1}": "overheads.step_us: got -1; expected",
    "overheads: {steps_us: 1}": "overheads.steps_us: unknown key (did you mean 'step_us'?)",
    "arrays: {adders: {achieved_share: 1.5}}": "arrays.adders.achieved_share: got 1.5; expected",
    "meter: {scope: socket}": "meter.scope: 'socket' is unknown; expected one of chip, rail, board, battery",
}


@pytest.mark.parametrize(("line", "message"), WRONG.items())
def test_a_wrong_key_is_named(tmp_path, line, message):
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: ternary-edge\n{line}\n")
    with pytest.raises(InputError) as raised:
        read_platform(path)
    assert message in str(raised.value)
    assert ":2: " in str(raised.value)


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_unpacking_and_loading_that_overlap_in_part_take_longer_than_either(exponent):
    m, k, n = 1, 640, 320
    plain = evaluate(system(Matmul(m, k, n), machine=machine()), 1, m, 0)
    by_bound = plain.times.seconds[0, 0].sum(axis=0)
    rest_s, filling_s = by_bound[: BOUNDS.index("latency")].sum(), by_bound[BOUNDS.index("latency")]
    unpacking_s = 0.8 * rest_s
    overheads = {"unpack_weights_per_s": {"ternary2": k * n / unpacking_s}, "unpack_overlap": exponent}
    found = evaluate(system(Matmul(m, k, n), machine=machine(**overheads)), 1, m, 0)
    together_s = (rest_s**exponent + unpacking_s**exponent) ** (1 / exponent)
    assert found.latency_s[0, 0] == pytest.approx(together_s + filling_s, rel=1e-3)


def test_an_unpacked_weight_has_its_own_energy_by_storage_or_by_format():
    m, k, n = 1, 640, 320
    for name in ("ternary2", "ternary"):
        found = evaluate(system(Matmul(m, k, n), machine=machine(unpack_pj_per_weight={name: 5.0})), 1, m, 0)
        plain = evaluate(system(Matmul(m, k, n), machine=machine(unpack_pj_per_weight={name: 0.0})), 1, m, 0)
        added_pj = found.energies.nominal_pj.sum() - plain.energies.nominal_pj.sum()
        assert added_pj == pytest.approx(5.0 * k * n, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unpack_pj_per_weight: {ternery: 1}", "unpack_pj_per_weight.ternery: unknown storage"),
        ("unpack_pj_per_weight: {ternary: -1}", "unpack_pj_per_weight.ternary: got -1; expected pJ, not negative"),
        ("unpack_overlap: 0.5", "unpack_overlap"),
    ],
)
def test_wrong_unpacking_is_refused(tmp_path, text, message):
    file = tmp_path / "own.yaml"
    file.write_text(f"like: ternary-edge\noverheads:\n  {text}\n")
    with pytest.raises(InputError) as error:
        read_platform(file)
    assert message in str(error.value)


def with_copies(copies, lanes=1, columns=1):
    """Return the edge device with copies of arrays that have a share of their lanes and columns."""
    edge = platforms()["ternary-edge"]
    arrays = {
        name: array.model_copy(
            update={"lanes": array.lanes // lanes, "columns": array.columns // columns or 1, "copies": copies}
        )
        for name, array in edge.arrays.items()
    }
    return edge.model_copy(update={"arrays": arrays})


def array_cycles(machine, m, k, n):
    found = evaluate(system(Matmul(m, k, n), machine=machine), 1, m, 0)
    return found.times.busy[0, 0, :, ARRAY].sum() * MET_MHZ["7nm"] * 1e6


def test_copies_share_out_the_tokens_and_outputs_of_a_matrix_that_is_narrower_than_the_array():
    """In closed form: tokens x blocks of a copy over the copies."""
    array = platforms()["ternary-edge"].arrays["adders"]
    m, k, n = 40, array.lanes, array.columns // 8
    assert array_cycles(platforms()["ternary-edge"], m, k, n) == pytest.approx(m)
    assert array_cycles(with_copies(16, 2, 8), m, k, n) == pytest.approx(m * 2 * 1 / 16)


def test_copies_fill_once_for_all_heads_and_sequences_of_a_layer():
    one, together = (evaluate(system(machine=each), 4, 0, 3) for each in (machine(), with_copies(2)))
    at = [list(system().layout.matmuls).index(name) for name in ("attention_scores", "attention_values")]
    latency = BOUNDS.index("latency")
    filling = [found.times.seconds[0, 1, at, latency].sum() for found in (one, together)]
    heads = MODEL.kv_heads or MODEL.heads
    assert filling[1] == pytest.approx(filling[0] / (4 * heads), rel=1e-3)
