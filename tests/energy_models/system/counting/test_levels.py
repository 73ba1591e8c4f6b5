"""Memory levels: a matmul by hand, conservation, what is held across steps, and levels that change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.system.counting.times import components
from bitjoule.energy_models.system.hardware.machine_levels import COMPONENT, WIDTH, levels_of
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.operations import operations
from bitjoule.energy_models.system.platform.dvfs import Dvfs, Point
from bitjoule.energy_models.system.platform.levels import HELD, Level
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from tests.energy_models.requests import evaluate, system

SMALL = "bitnet-125m"
ALL = ["weights", "keys_values", "activations"]
FREE = {"bandwidth_gb_per_s": 1e9, "read_pj_per_bit": 0.0, "write_pj_per_bit": 0.0}


def level(size_bytes, holds=ALL, **keys):
    return Level(holds=holds, size_bytes=size_bytes, **{**FREE, **keys})


def with_levels(*levels, of="ternary-edge"):
    """Return a platform of fixed leakage with levels, from the buffers outwards."""
    platform = platforms()[of] if isinstance(of, str) else of
    nodes = {name: node.model_copy(update={"leakage_w": 0.001}) for name, node in platform.nodes.items()}
    named = {f"level{i}": each for i, each in enumerate(levels)} or None
    return platform.model_copy(update={"nodes": nodes, "levels": named})


def of_levels(found, evaluated, values=None):
    """Return counts by phase, level, `HELD` and way, of the first case."""
    values = evaluated.counts if values is None else values
    phases = len(found.phases)
    own = [i for i, column in enumerate(found.columns) if column.component == COMPONENT]
    return values[0, own].reshape(phases, -1, len(HELD), WIDTH // len(HELD))


def off_chip(found, evaluated, way="read", case=0, **wanted):
    """Return the off-chip bits of each phase."""
    names = list(dict.fromkeys(column.phase for column in found.columns))
    bits = np.zeros(len(names))
    for i, column in enumerate(found.columns):
        if column.action == f"off_chip_{way}" and all(getattr(column, k) in v for k, v in wanted.items()):
            bits[names.index(column.phase)] += evaluated.counts[case, i]
    return bits


def toy(*levels, bits_per_cycle=8.0):
    """Return 2 lanes x 2 columns without a buffer for weights, whose partial sums are too dear to leave the array."""
    array = {
        "lanes": 2, "columns": 2,
        "macs": [{"weights": ["int8"], "activations": ["int8"], "energy_pj": 1.0}],
        "weight_registers": {"weights": 1, "load_bits_per_cycle": 1e9},
        "accumulators": {"per": "column", "depth": 4, "bits": 32},
    }  # fmt: skip
    prices = {"read_pj": 1e7, "write_pj": 1e7}
    buffer = {"holds": ["activations"], "size_bytes": 4096, "width_bits": 1 << 20, **prices}
    memory = {"read_pj_per_bit": 1.0, "write_pj_per_bit": 1.0, "bandwidth_gb_per_s": bits_per_cycle / 8e3}
    platform = Platform.model_validate(
        {"description": "toy", "arrays": {"pes": array}, "vector": {"lanes": 1}, "buffers": {"b": buffer},
         "off_chip": memory, "nodes": {"45nm": {"clock_mhz": 1}}}
    )  # fmt: skip
    return with_levels(*levels, of=platform)


def run_toy(*levels, **keys):
    found = system(Matmul(8, 4, 4), "int8", machine=toy(*levels, **keys), technology="45nm")
    return found, evaluate(found, 1, 8, 0)


def test_a_matmul_by_hand():
    """8 x 4 x 4 with 4 accumulators: each of 16 weights is fetched for the first and for the last four tokens.

    Without a level 2 x 16 bytes of weights cross the chip's edge, with one that holds all 16 bytes, 16.
    """
    bare, alone = run_toy()
    assert off_chip(bare, alone, operand=["weights"])[0] == 2 * 16 * 8
    prices = {"read_pj_per_bit": 0.25, "write_pj_per_bit": 0.5, "bandwidth_gb_per_s": 1.0}
    for size_bytes, outside in ((15, 2 * 16 * 8), (16, 16 * 8)):
        found, counted = run_toy(level(size_bytes, ["weights"], **prices))
        assert off_chip(found, counted, operand=["weights"])[0] == outside
        rest = [off_chip(*of, operand=["activations", "outputs"])[0] for of in ((bare, alone), (found, counted))]
        assert rest[0] == rest[1]
        np.testing.assert_array_equal(of_levels(found, counted)[0, 0, 0], [2 * 16 * 8, outside, 0])
        joules = of_levels(found, counted, counted.energies.nominal_pj)[0, 0, 0]
        np.testing.assert_allclose(joules, [0.25 * 2 * 16 * 8, 0.5 * outside, 0])
        saved_pj = (2 * 16 * 8 - outside) * 1.0 - joules.sum()
        total = alone.energies.nominal_pj.sum() - counted.energies.nominal_pj.sum()
        leaked = (alone.latency_s - counted.latency_s)[0, 0] * 0.001 * 1e12
        assert total == pytest.approx(saved_pj + leaked, rel=1e-9)
        # 8 bits a cycle at 1 MHz, and nothing else is as slow
        seconds = (alone.latency_s - counted.latency_s)[0, 0]
        assert seconds == pytest.approx((2 * 16 * 8 - outside) / 8 / 1e6, abs=1e-6)


def test_a_slow_level_bounds_the_time_as_a_buffer_does():
    """256 bits of weights at half a bit a cycle take 512 cycles, in place of those off-chip; fill and drain stay."""
    bare, alone = run_toy()
    found, counted = run_toy(level(16, ["weights"], bandwidth_gb_per_s=0.5 / 8e3))
    bits = sum(off_chip(bare, alone, way)[0] for way in ("read", "write"))
    assert counted.latency_s[0, 0] - alone.latency_s[0, 0] == pytest.approx((256 / 0.5 - bits / 8) / 1e6, abs=1e-6)
    at = components(found.layout).index("matmul")
    by_bound = dict(zip(BOUNDS, counted.times.seconds[0, 0, at], strict=True))
    assert by_bound["buffer"] == pytest.approx(512e-6, rel=1e-2)
    assert by_bound["compute"] == by_bound["off_chip"] == 0


@pytest.mark.parametrize("of", ["ternary-edge", "fp16-edge", "h100"])
@pytest.mark.parametrize("size_bytes", [0, 1])
def test_a_level_of_no_size_that_costs_nothing_changes_nothing(of, size_bytes):
    scheme = "fp16" if of != "ternary-edge" else "bitnet-b1.58"
    results = []
    for machine in (with_levels(of=of), with_levels(level(size_bytes), of=of)):
        found = system(SMALL, scheme, machine=machine)
        results.append((found, evaluate(found, batch=[1, 3], prompt=[64, 300], new=[8, 0])))
    (bare, alone), (found, counted) = results
    np.testing.assert_array_equal(alone.latency_s, counted.latency_s)
    np.testing.assert_array_equal(alone.times.seconds, counted.times.seconds)
    np.testing.assert_array_equal(alone.times.busy, counted.times.busy)
    kept = [i for i, column in enumerate(found.columns) if column.component != COMPONENT]
    assert [found.columns[i] for i in kept] == list(bare.columns)
    for theirs, ours in zip(alone.energies, counted.energies, strict=True):
        np.testing.assert_array_equal(theirs, ours[:, kept])


SIZES = st.sampled_from([1 << 10, 1 << 16, 1 << 20, 1 << 23, 1 << 27, 1 << 33])
SCHEMES = {"bitnet-b1.58": "ternary-edge", "fp16": "fp16-edge"}


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(SIZES, st.sampled_from([0.5, 20.0, 1e4])), min_size=1, max_size=3),
    st.lists(st.sampled_from(HELD), min_size=1, max_size=3, unique=True),
    st.sampled_from(sorted(SCHEMES)),
    st.sampled_from([(1, 64, 8), (4, 300, 3)]),
)
def test_bits_are_conserved_and_nothing_is_faster_than_its_bits(sizes, holds, scheme, workload):
    """What a level is filled with, the next one reads; the first reads what the buffers ask for without any."""
    peaks = [peak for _, peak in sizes]
    made = [
        level(size, holds, bandwidth_gb_per_s=peak, read_pj_per_bit=0.1, write_pj_per_bit=0.2)
        for size, peak in zip(sorted(size for size, _ in sizes), peaks, strict=True)
    ]
    of = SCHEMES[scheme]
    bare, found = (system(SMALL, scheme, machine=with_levels(*some, of=of)) for some in ((), made))
    alone, counted = evaluate(bare, *workload), evaluate(found, *workload)
    passing = of_levels(found, counted)
    reads, fills, writes = np.moveaxis(passing, 3, 0)
    np.testing.assert_allclose(fills[:, :-1], reads[:, 1:], rtol=1e-12)
    assert (fills <= reads * (1 + 1e-12)).all()
    operands = {
        "weights": {"operand": ["weights"]},
        "keys_values": {"operand": ["keys", "values", "state", "keys_values"]},
        "activations": {"operand": ["activations", "partial_sums", "outputs"]},
    }
    for i, held in enumerate(HELD):
        before, after = (off_chip(*of, **operands[held]) for of in ((bare, alone), (found, counted)))
        if held not in holds:
            np.testing.assert_array_equal(before, after)
            assert not passing[:, :, i].any()
            continue
        np.testing.assert_allclose(reads[:, 0, i], before, rtol=1e-12)
        np.testing.assert_allclose(fills[:, -1, i], after, rtol=1e-12)
        out = off_chip(found, counted, "write", **operands[held])
        np.testing.assert_allclose(writes[:, :, i], np.repeat(out[:, None], len(made), axis=1), rtol=1e-12)
    for wanted in operands.values():
        theirs, ours = (off_chip(*of, "write", **wanted) for of in ((bare, alone), (found, counted)))
        np.testing.assert_array_equal(theirs, ours)
    seconds = np.array([np.maximum(reads[:, i].sum(axis=1), (fills + writes)[:, i].sum(axis=1)) / peak / 8e9
                        for i, peak in enumerate(peaks)])  # fmt: skip
    bits = off_chip(found, counted) + off_chip(found, counted, "write")
    slowest = np.maximum(seconds.max(axis=0), bits / (platforms()[of].off_chip.reached_gb_per_s * 8e9))
    assert (counted.latency_s[0] >= slowest * (1 - 1e-9)).all()
    np.testing.assert_allclose(counted.times.seconds.sum(axis=(2, 3)), counted.latency_s, rtol=1e-9)
    prices = np.array([0.1, 0.2, 0.2])
    np.testing.assert_allclose(of_levels(found, counted, counted.energies.nominal_pj), passing * prices, rtol=1e-12)


def test_a_level_that_holds_a_whole_model_reads_its_weights_once_a_phase():
    """All steps of decode after the first take weights, keys and values from the level."""
    found = system(SMALL, machine=with_levels(level(1 << 33)))
    bare = system(SMALL, machine=with_levels())
    for new in (1, 9):
        counted, alone = evaluate(found, 1, 64, new), evaluate(bare, 1, 64, new)
        for operand in ("weights", "keys", "values"):
            of_tables = ["embedding"]  # a row for each token, which is not read again
            linears = sorted({column.component for column in found.columns} - {*of_tables})
            ours, theirs = (
                off_chip(*of, operand=[operand], component=linears)[1] for of in ((found, counted), (bare, alone))
            )
            assert ours == pytest.approx(theirs / new, rel=1e-12)
    assert counted.latency_s[0, 1] < alone.latency_s[0, 1]


def test_the_first_step_takes_as_long_as_without_a_level_and_the_others_as_long_as_if_it_were_off_chip():
    """A free and fast level that holds the model: n steps are one from outside and n - 1 that only compute."""
    found = system(SMALL, machine=with_levels(level(1 << 33)))
    bare = system(SMALL, machine=with_levels())
    fast = with_levels()
    fast = fast.model_copy(update={"off_chip": fast.off_chip.model_copy(update={"bandwidth_gb_per_s": 1e6})})
    new, prompt = 9, 64
    mixed = evaluate(found, 1, prompt, new).latency_s[0, 1]
    slow, quick = (evaluate(each, 1, prompt, new).latency_s[0, 1] for each in (bare, system(SMALL, machine=fast)))
    # writes of the cache, embeddings and the first and last bits of each matmul come from outside in every step
    assert mixed == pytest.approx(slow / new + quick * (new - 1) / new, rel=0.05)
    assert mixed > slow / new + quick * (new - 1) / new


def test_keys_that_a_nest_fetches_for_each_tile_of_queries_come_from_outside_once():
    """FP16 attention of a long prompt: the level's fills are each head's keys and values once, 2 x 16 bits a value."""
    machine = with_levels(level(1 << 22, ["keys_values"]), of="fp16-edge")
    found = system(SMALL, "fp16", machine=machine)
    counted = evaluate(found, 1, 4096, 0)
    reads, fills, _ = of_levels(found, counted)[0, 0, HELD.index("keys_values")]
    shape = found.models[0]
    assert fills == pytest.approx(shape.layers * 4096 * 2 * shape.kv_heads * shape.head_dim * 16, rel=1e-12)
    assert reads > 2 * fills


def test_activations_that_all_fit_are_not_read_from_outside_but_written():
    machine = with_levels(level(1 << 26, ["activations"]))
    found, bare = system(SMALL, machine=machine), system(SMALL, machine=with_levels())
    counted, alone = evaluate(found, 1, 2048, 0), evaluate(bare, 1, 2048, 0)
    operands = {"operand": ["activations", "outputs", "partial_sums"]}
    assert off_chip(bare, alone, **operands)[0] > 0
    assert off_chip(found, counted, **operands)[0] == 0
    assert off_chip(found, counted, "write")[0] == off_chip(bare, alone, "write")[0]


def test_operations_add_up_to_their_components():
    found = system(SMALL, machine=with_levels(level(1 << 20, read_pj_per_bit=0.1), level(1 << 30)))
    zeros = np.zeros(2, dtype=np.intp)
    cases = Cases(zeros, zeros, np.array([1.0, 4.0]), np.array([64.0, 700.0]), np.array([5.0, 2.0]))
    evaluated = found.evaluate(cases, zeros, zeros)
    shape = (2, len(found.phases), -1)
    columns = found.columns[: evaluated.width]
    rows = operations(found, 0, cases, zeros, zeros)
    for component in dict.fromkeys(column.component for column in columns):
        own = [i for i, column in enumerate(columns) if column.component == component]
        for i, end in enumerate((evaluated.energies.low_pj, evaluated.energies.nominal_pj)):
            ours = sum(row.energies_pj[i] for row in rows if row.component == component)
            theirs = end.reshape(shape)[:, :, own].sum(axis=2)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=component)
    seconds = sum(row.seconds.sum(axis=2) for row in rows)
    np.testing.assert_allclose(seconds, evaluated.latency_s, rtol=1e-9)
    assert of_levels(found, evaluated).any(axis=(0, 2, 3)).all()


def test_machines_with_and_without_levels_in_one_run_keep_their_own():
    from bitjoule.energy_models.formats.schemes import schemes
    from bitjoule.energy_models.prices.technology import technologies
    from bitjoule.energy_models.system.system import System

    scheme, technology = schemes()["bitnet-b1.58"], technologies()["7nm"]
    model = system(SMALL).models[0]
    slow = level(1 << 20, bandwidth_gb_per_s=1.0, read_pj_per_bit=0.3)
    machines = [with_levels(), with_levels(slow), with_levels(slow, level(1 << 30))]
    both = System([model], [scheme], [technology], [[("x", machine)] for machine in machines])
    zeros = np.zeros(3, dtype=np.intp)
    cases = Cases(zeros, zeros, np.ones(3), np.full(3, 96.0), np.full(3, 4.0))
    together = both.evaluate(cases, zeros, np.arange(3))
    for i, machine in enumerate(machines):
        alone = evaluate(system(SMALL, machine=machine), 1, 96, 4)
        np.testing.assert_allclose(together.latency_s[i], alone.latency_s[0], rtol=1e-12)
        apart = both.evaluate(Cases(*(values[:1] for values in cases[:5])), zeros[:1], np.array([i]))
        assert apart.energies.nominal_pj.sum() == pytest.approx(alone.energies.nominal_pj.sum(), rel=1e-12)
        pj = [each.energies.nominal_pj for each in (together, alone)]
        assert pj[0][i].sum() == pytest.approx(pj[1][0].sum(), rel=1e-12)


def test_a_level_follows_the_operating_point_as_buffers_do():
    points = [Point(clock_mhz=250, volts=0.6), Point(clock_mhz=500, volts=0.9)]
    machine = with_levels(level(1 << 20, read_pj_per_bit=0.9, bandwidth_gb_per_s=10.0))
    machine = machine.model_copy(update={"dvfs": Dvfs(points=points, nominal_mhz=500, point=250)})
    (found,) = levels_of(system(SMALL, machine=machine).machine(0, 0, 0))
    assert found.bits_per_cycle == pytest.approx(10e9 * 8 / 500e6)
    assert found.read[0].nominal_pj == pytest.approx(0.9 * (0.6 / 0.9) ** 2)
    assert found.read[1].startswith("platforms/ternary-edge.yaml:levels.level0.read_pj_per_bit*")


def test_a_level_of_sram_is_priced_by_its_banks():
    machine = platforms()["ternary-edge"]
    own = Level(holds=["weights"], size_bytes=4 << 20, banks=4, memory="sram", bandwidth_gb_per_s=100)
    (found,) = levels_of(system(SMALL, machine=machine.model_copy(update={"levels": {"l2": own}})).machine(0, 0, 0))
    assert found.read[0].nominal_pj == pytest.approx(14 / 64)  # memories.csv: 1 MiB at 7 nm, 64 bits
    assert found.read[1] == "memories.csv:7nm:sram:1048576"
