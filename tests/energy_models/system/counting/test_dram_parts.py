"""Parts of a DRAM device: they add up, rows open as the access pattern says, and waiting is watts x seconds."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.nests import nest_costs
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.channels import PART_ACTIONS
from bitjoule.energy_models.system.platform.off_chip import Contiguous, OffChip
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.platform.static_power import BusyIdle
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.clocks import MET_MHZ
from tests.energy_models.requests import evaluate, system
from tests.sampling import sampled

TECHNOLOGY, SCHEME = "7nm", "bitnet-b1.58"
EDGE_GB_PER_S = 12.8
STREAMED = {"contiguous_bytes": 1e9}


def with_memory(name="ternary-edge", **keys):
    """Return an edge platform with another memory, and watts of its own only for the host."""
    platform = platforms()[name]
    memory = OffChip(**{"bandwidth_gb_per_s": EDGE_GB_PER_S, **keys})
    static = platform.static.model_copy(update={"dram": None})
    return platform.model_copy(update={"off_chip": memory, "static": static})


def flat(read_pj, write_pj, busy_w, idle_w, name="ternary-edge"):
    """Return the same with one price of a bit and watts that are written."""
    platform = with_memory(name, read_pj_per_bit=read_pj, write_pj_per_bit=write_pj)
    dram = BusyIdle(busy=busy_w, idle=idle_w)
    return platform.model_copy(update={"static": platform.static.model_copy(update={"dram": dram})})


def of(found, evaluated, values=None, **wanted):
    """Return the sums of some columns by phase, of counts or of `values`."""
    values = evaluated.counts if values is None else values
    sums = []
    for phase in dict.fromkeys(column.phase for column in found.columns):
        chosen = [
            i
            for i, column in enumerate(found.columns)
            if column.phase == phase
            and all(
                getattr(column, key) in ((value,) if isinstance(value, str) else value) for key, value in wanted.items()
            )
        ]
        sums.append(values[0, chosen].sum())
    return np.array(sums)


def hand(name):
    """Return what a bit read, a bit written, and an opened row cost, in pJ, by the currents."""
    device = drams()[name]
    ways = []
    for way, idd4 in (("read", "idd4r"), ("write", "idd4w")):
        milliwatts = sum(supply.volts * (getattr(supply, idd4) - supply.idd3n) for supply in device.supplies)
        burst = milliwatts * (1 + device.toggle_slope / 2) / (8 * device.gb_per_s)
        outside = [getattr(part, f"{way}_pj_per_bit").nominal for part in (device.pins, device.phy) if part]
        ways.append(burst + sum(outside))
    opened = sum(
        supply.volts
        * (supply.idd0 * device.rc_ns - supply.idd3n * device.ras_ns - supply.idd2n * (device.rc_ns - device.ras_ns))
        for supply in device.supplies
    )
    return *ways, opened


BY_CURRENTS = [name for name in drams() if hasattr(drams()[name], "supplies")]


@pytest.mark.parametrize("scheme", ["fp16", "bitnet-b1.58"])
@pytest.mark.parametrize("name", BY_CURRENTS)
def test_parts_add_up_to_the_price_of_a_bit_and_the_watts_that_they_replace(name, scheme):
    """With whole rows throughout, a device is a flat price and watts, with the same joules and seconds."""
    read_pj, write_pj, row_pj = hand(name)
    device, channels = drams()[name], with_memory(device=name).off_chip.channel_count
    opened = row_pj / 8 / device.row_bytes
    refresh = sum(s.volts * (s.idd5 - s.idd2n) for s in device.supplies) * device.rfc_ns / device.refi_ns
    busy, idle = (
        1e-3 * channels * (sum(s.volts * getattr(s, current) for s in device.supplies) + refresh)
        for current in ("idd3n", "idd2n")
    )
    parts = system("bitnet-b1.58-2b-4t", scheme, machine=with_memory(device=name, **STREAMED))
    whole = system("bitnet-b1.58-2b-4t", scheme, machine=flat(read_pj + opened, write_pj + opened, busy, idle))
    ours, theirs = evaluate(parts, prompt=96, new=8), evaluate(whole, prompt=96, new=8)
    np.testing.assert_allclose(ours.latency_s, theirs.latency_s, rtol=1e-12)
    for component in {column.component for column in whole.columns}:
        sums = [
            of(found, evaluated, evaluated.energies.nominal_pj, component=component)
            for found, evaluated in ((parts, ours), (whole, theirs))
        ]
        np.testing.assert_allclose(*sums, rtol=1e-9, err_msg=component)


@pytest.mark.parametrize("name", drams())
def test_static_is_watts_times_seconds_with_rows_open_only_while_bits_move(name):
    machine = with_memory(device=name, ranks=3)
    found = system(machine=machine)
    evaluated = evaluate(found, new=8)
    bits = of(found, evaluated, action=("off_chip_read", "off_chip_write"))
    busy_s = bits / (EDGE_GB_PER_S * 8e9)
    assert (busy_s < evaluated.latency_s[0]).all()
    dies, device = 3 * machine.off_chip.channel_count, drams()[name]
    for end, energies in enumerate(evaluated.energies):
        busy_w, idle_w = (dies * (device.standby_w(rows)[end] + device.refresh_w[end]) for rows in (True, False))
        expected = busy_w * busy_s + idle_w * (evaluated.latency_s[0] - busy_s)
        found_j = of(found, evaluated, energies, component="static", operand="dram") / 1e12
        cycle_s = 1 / MET_MHZ[TECHNOLOGY] / 1e6  # whole cycles are counted
        np.testing.assert_allclose(found_j, expected, atol=busy_w * cycle_s, rtol=1e-12)


def test_a_machine_that_writes_no_watts_has_those_of_its_device_and_its_leakage_once():
    node = platforms()["ternary-edge"].nodes[TECHNOLOGY].model_copy(update={"leakage_w": 0.07})
    update = {"static": None, "nodes": {TECHNOLOGY: node}}
    machine = with_memory(device="hbm3e").model_copy(update=update)
    found = system(machine=machine)
    evaluated = evaluate(found)
    joules = evaluated.energies.nominal_pj / 1e12
    assert of(found, evaluated, joules, component="leakage").sum() == 0
    np.testing.assert_allclose(of(found, evaluated, joules, operand="chip"), 0.07 * evaluated.latency_s[0], rtol=1e-12)
    assert (of(found, evaluated, joules, component="static", operand="dram") > 0).all()


def test_rows_open_by_whole_matrices_of_weights_and_by_single_keys_values_and_embeddings():
    """2B4T at batch 1, decode; rows of 2048 bytes. Of 2 bits a weight and FP16 keys, values and embedding."""
    new = 8
    found = system("bitnet-b1.58-2b-4t", machine=with_memory(device="lpddr4-3200"))
    counted = evaluate(found, prompt=64, new=new)

    def decode(**wanted):
        return of(found, counted, **wanted)[1]

    matrix = -(-2560 * 6912 * 2 // 8 // 2048)
    assert decode(component="ffn_up", action="read_activate") == new * 30 * matrix
    head = -(-2560 * 128256 * 2 // 2048)
    assert decode(component="lm_head", action="read_activate") == pytest.approx(new * head)
    context, heads = 64 + (new + 1) / 2, 5
    gathered = new * 30 * heads * context  # a head's 128 values of a token are 256 bytes
    for operand in ("keys", "values"):
        assert decode(component="kv_cache_read", operand=operand, action="read_activate") == pytest.approx(gathered)
    assert decode(component="kv_cache_write", action="write_activate") == new * 30 * 2  # 1280 bytes each
    assert decode(component="embedding", action="read_activate") == new * 3  # 5120 bytes: two rows and a half
    whole = decode(component="kv_cache_read", operand="keys", action="off_chip_read") / 8 / 2048
    assert gathered / whole == pytest.approx(2048 / 256)


def test_activations_that_leave_the_chip_are_streamed():
    found = system("bitnet-b1.58-2b-4t", machine=with_memory(device="hbm3e"))
    counted = evaluate(found, prompt=512, new=8)
    for way in ("read", "write"):
        wanted = {"component": "spilled_activations"}
        bits, rows = (
            of(found, counted, action=action, **wanted)[0] for action in (f"off_chip_{way}", f"{way}_activate")
        )
        assert bits > 0
        assert rows == pytest.approx(bits / 8 / 1024)


def test_each_expert_is_a_run_of_its_own():
    """An expert's matrix of 96 x 160 trits is 3840 bytes: two rows of 2048 that give 1920 bytes each."""
    shape = {
        "layers": 2, "hidden": 96, "heads": 2, "ffn": 160, "ffn_gated": True, "activation": "silu", "vocabulary": 100,
        "experts": 8, "active_experts": 2,
    }  # fmt: skip
    found = system(ModelShape(**shape), machine=with_memory(device="lpddr4-3200"))
    counted = evaluate(found, prompt=4, new=3)
    assert of(found, counted, component="ffn_up", action="off_chip_read")[1] == 3 * 2 * 2 * 96 * 160 * 2
    assert of(found, counted, component="ffn_up", action="read_activate")[1] == pytest.approx(3 * 2 * 2 * 2)


def test_chips_of_a_module_open_their_rows_together():
    found = system("bitnet-b1.58-2b-4t", machine=with_memory(device="ddr4-2400"))
    counted = evaluate(found, prompt=64, new=8)
    gathered = 8 * 30 * 5 * (64 + 4.5)
    rows = of(found, counted, component="kv_cache_read", operand="keys", action="read_activate")[1]
    assert rows == pytest.approx(8 * gathered)


@pytest.mark.parametrize(
    ("contiguous", "rows_of"),
    [
        (64, {"weights": 64, "keys_values": 64, "activations": 64, "embedding": 64}),
        (Contiguous(keys_values=1024, embedding=8), {"keys_values": 1024, "embedding": 8}),
        (Contiguous(weights=32, activations=16), {"weights": 32, "activations": 16}),
        (4096.0, dict.fromkeys(("weights", "keys_values", "activations", "embedding"), 1024)),
    ],
)
def test_contiguous_bytes_that_are_written_replace_the_pattern(contiguous, rows_of):
    columns = {
        "inputs": {"component": "ffn_down", "operand": "activations"},
        "weights": {"component": "ffn_up", "operand": "weights"},
        "keys_values": {"component": "kv_cache_read", "operand": "values"},
        "activations": {"component": "spilled_activations", "operand": "outputs"},
        "embedding": {"component": "embedding"},
    }
    machines = [with_memory(device="hbm2-1200", contiguous_bytes=given) for given in (contiguous, None)]
    opened = []
    for machine in machines:
        found = system("bitnet-b1.58-2b-4t", machine=machine)
        counted = evaluate(found, prompt=512, new=8)
        opened.append(
            {
                operand: of(found, counted, action="off_chip_read", **wanted)[0]
                / 8
                / of(found, counted, action="read_activate", **wanted)[0]
                for operand, wanted in columns.items()
            }
        )
    for operand, found in opened[0].items():
        key = "activations" if operand == "inputs" else operand
        assert found == pytest.approx(rows_of.get(key, opened[1][operand]))
    expected = {"inputs": 1024, "weights": 1024, "keys_values": 256, "activations": 1024, "embedding": 1024}
    assert opened[1] == pytest.approx(expected)


def test_written_keys_and_values_follow_what_is_written_for_the_cache():
    found = system(
        "bitnet-b1.58-2b-4t", machine=with_memory(device="hbm3e", contiguous_bytes=Contiguous(keys_values=32))
    )
    counted = evaluate(found, prompt=16, new=4)
    bits, rows = (
        of(found, counted, component="kv_cache_write", action=action) for action in ("off_chip_write", "write_activate")
    )
    np.testing.assert_allclose(rows, bits / 8 / 32)


def test_a_platform_with_one_price_is_as_it_was_beside_one_with_a_device():
    names = ("bitnet-b1.58-700m", "mixtral-8x7b")
    flat_edge, device = platforms()["ternary-edge"], with_memory(device="hbm3e")
    models, rest = [presets()[name] for name in names], ([schemes()[SCHEME]], [technologies()[TECHNOLOGY]])
    alone = System(models, *rest, [[("a", flat_edge)]])
    both = System(models, *rest, [[("a", flat_edge)], [("b", device)]])
    first, second = evaluate(alone), evaluate(both)
    assert not {column.action for column in alone.columns} & set(PART_ACTIONS)
    kept = [i for i, column in enumerate(both.columns) if column.action not in PART_ACTIONS]
    np.testing.assert_array_equal(second.counts[:, kept], first.counts)
    np.testing.assert_array_equal(second.energies.nominal_pj[:, kept], first.energies.nominal_pj)
    parts = [i for i, column in enumerate(both.columns) if column.action in PART_ACTIONS]
    assert second.counts[:, parts].sum() == 0
    np.testing.assert_array_equal(second.latency_s, first.latency_s)


@pytest.mark.parametrize("name", sampled(drams(), 5, "devices whose prices are looked up"))
def test_every_price_of_a_run_leads_to_its_place_in_the_file(name):
    found = system("bitnet-b1.58-700m", machine=with_memory(device=name))
    counted = evaluate(found)
    keys = list(found.price_keys)
    columns = [(i, keys[counted.price_keys[0, i]]) for i in np.flatnonzero(counted.counts[0])]
    rows = {key: price_row(key) for _, key in columns if key.startswith("drams.yaml")}
    for column, key in columns:
        for end, energies in enumerate(counted.energies if key in rows else ()):
            expected = rows[key].price[end] * counted.counts[0, column]
            assert energies[0, column] == pytest.approx(expected), key
    seen = {key.split(":")[2] for key in rows}
    expected = {"core_read", "core_write", "activate", "busy", "idle", "phy.read_pj_per_bit", "phy.write_pj_per_bit"}
    pins = {"pins.read_pj_per_bit", "pins.write_pj_per_bit"} if drams()[name].pins else {"io_read", "io_write"}
    without_pins = name.startswith("hbm")
    assert seen == expected | (set() if without_pins else pins)


def test_mappings_are_chosen_by_the_whole_price_of_a_bit():
    """Of weights of 64 bytes a row: bursts, pins, controller, and a row's 1204.7 pJ over 512 bits."""
    machine = Machine(schemes()[SCHEME], with_memory(device="lpddr4-3200"), technologies()[TECHNOLOGY], "x")
    read_pj, write_pj, row_pj = hand("lpddr4-3200")
    lines = {(s.operand, s.action): line for s, line in machine.lines(MatmulKind.LINEAR, 64.0).items()}
    assert lines["weights", "off_chip_read"].price.nominal_pj == pytest.approx(read_pj + row_pj / 512)
    assert lines["outputs", "off_chip_write"].price.nominal_pj == pytest.approx(write_pj + row_pj / 8 / 2048)
    problem = machine.problem(MatmulKind.SCORES, 4, 128, 64, False, 0.0)  # keys of 256 bytes, through the buffer
    stored = machine.lines(MatmulKind.SCORES)
    buffered = next(line for s, line in stored.items() if (s.operand, s.action) == ("weights", "buffer_write"))
    expected = 16 * (read_pj + row_pj / 8 / 256 + buffered.price.nominal_pj)
    assert problem.costs.weight_load_pj == pytest.approx(expected)


def test_nests_of_attention_are_chosen_by_the_whole_price_of_gathered_keys_and_values():
    machine = Machine(schemes()[SCHEME], with_memory(device="lpddr4-3200"), technologies()[TECHNOLOGY], "x")
    read_pj, _, row_pj = hand("lpddr4-3200")
    costs = nest_costs(machine, MatmulKind.SCORES, MatmulKind.VALUES, (256.0, 32.0))
    written = machine.access("buffer_write", "weights")[0].nominal_pj
    for totals, opened in ((costs.scores_pj, 256), (costs.values_pj, 32)):
        own = dict(totals)
        assert own["weights_in"] == pytest.approx(16 * (read_pj + row_pj / 8 / opened))
        assert own["loads"] == pytest.approx(16 * written)


@pytest.mark.parametrize("share", [1.0, 0.8, 0.25])
def test_the_share_of_the_bandwidth_that_is_reached_stretches_the_time_of_the_memory(share):
    """A row of activations times 2560 x 6912 trits: only the memory's time matters, and the last outputs follow it."""
    k, n = 2560, 6912
    machine = with_memory(device="lpddr4-3200", achieved_share=share)
    found = system(Matmul(1, k, n), machine=machine)
    counted = evaluate(found, 1, 1, 0)
    bits = of(found, counted, action=("off_chip_read", "off_chip_write"))[0]
    assert bits >= k * n * 2
    memory_s = bits / (EDGE_GB_PER_S * share * 8e9)
    assert counted.latency_s[0, 0] == pytest.approx(memory_s, rel=0.01)
    assert counted.latency_s[0, 0] >= memory_s
    waiting = drams()["lpddr4-3200"].standby_w(True).nominal_pj + drams()["lpddr4-3200"].refresh_w.nominal_pj
    busy_j = of(found, counted, counted.energies.nominal_pj, operand="dram", action="busy")[0] / 1e12
    assert busy_j == pytest.approx(2 * waiting * memory_s, rel=1e-4)


@pytest.mark.parametrize("objective", list(Objective))
def test_a_share_is_a_lower_bandwidth_of_as_many_channels(objective):
    shared = with_memory(device="lpddr4-3200", achieved_share=0.5)
    slower = with_memory(device="lpddr4-3200", channels=2, bandwidth_gb_per_s=EDGE_GB_PER_S / 2)
    found = [evaluate(system(machine=machine, objective=objective), new=8) for machine in (shared, slower)]
    np.testing.assert_array_equal(found[0].latency_s, found[1].latency_s)
    np.testing.assert_array_equal(found[0].energies.nominal_pj, found[1].energies.nominal_pj)
    flat_share = [
        evaluate(system(machine=with_memory(memory="lpddr4", **keys), objective=objective), new=8)
        for keys in ({"achieved_share": 0.5}, {"bandwidth_gb_per_s": EDGE_GB_PER_S / 2})
    ]
    np.testing.assert_array_equal(flat_share[0].energies.nominal_pj, flat_share[1].energies.nominal_pj)
