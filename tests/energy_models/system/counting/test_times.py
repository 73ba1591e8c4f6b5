"""Where the time of requests goes."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.counting.times import array_names, components, rest_of
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.platform.platforms import OffChip, Vector, platforms
from tests.energy_models.clocks import at
from tests.energy_models.requests import COLUMNS, evaluate, picked, system

ROWS = 64


def seconds_of(found, system_, phase=0):
    """Return the seconds of the first case by component."""
    return dict(zip(components(system_.layout), found.times.seconds[0, phase], strict=True))


@pytest.mark.parametrize("scheme", ["fp16", "int8", "bitnet", "bitnet-b1.58"])
@pytest.mark.parametrize("platform", [None, "ternary-hbm", "tight"])
def test_the_times_of_components_add_up_to_the_latency_of_their_phase(scheme, platform):
    machine = None
    if platform == "tight":  # activations do not fit, and spill
        edge = platforms()["ternary-edge"]
        buffers = {name: b.model_copy(update={"size_bytes": 65536}) for name, b in edge.buffers.items()}
        machine = edge.model_copy(update={"buffers": buffers, "attention": "separate"})
    found = evaluate(system("bitnet-1.3b", scheme, platform and platform.replace("tight", ""), machine=machine), 3,
                     [7, 512, 40], [0, 5, 64])  # fmt: skip
    assert (found.times.seconds >= 0).all()
    np.testing.assert_allclose(found.times.seconds.sum(axis=(2, 3)), found.latency_s, rtol=1e-12)


def test_macs_are_the_products_of_the_matmuls():
    """3 sequences, a prompt of 40 and 5 new tokens: llama's linears, the causal half of attention, the LM head."""
    shape, edge = presets()["llama-3.2-1b"], system("llama-3.2-1b", "bitnet")
    found = evaluate(edge, 3, 40, 5)
    macs = dict(zip(edge.layout.matmuls, found.times.macs[0].T.tolist(), strict=True))
    kv_width, width = shape.kv_heads * shape.head_dim, shape.heads * shape.head_dim
    pairs = (40 * 41 / 2, sum(40 + i for i in range(1, 6)))
    expected = {
        "q_proj": [n * shape.hidden * width for n in (40, 5)],
        "k_proj": [n * shape.hidden * kv_width for n in (40, 5)],
        "ffn_down": [n * shape.ffn * shape.hidden for n in (40, 5)],
        "attention_scores": [n * width for n in pairs],
        "attention_values": [n * width for n in pairs],
    }
    for component, counts in expected.items():
        assert macs[component] == pytest.approx([3 * shape.layers * count for count in counts])
    assert macs["lm_head"] == [3 * n * shape.hidden * shape.vocabulary for n in (1, 5)]


def test_the_linears_run_on_the_adders_and_attention_and_lm_head_on_the_helper():
    edge = system("llama-3.2-1b", "bitnet")
    runs = dict(zip(edge.layout.matmuls, array_names(edge.machine(0, 0, 0), edge.layout), strict=True))
    assert {name for name, array in runs.items() if array == "float"} == {
        "attention_scores", "attention_values", "lm_head",
    }  # fmt: skip
    assert {name for name, array in runs.items() if not array} == {"matmul", "ffn_router"}  # this model has none
    assert set(runs.values()) == {"adders", "float", ""}


def test_a_lone_product_is_bound_by_the_memory_where_that_is_slower_than_the_array():
    """8 x 3200 x 8640 of INT8: 27 G MACs a 1024 a cycle of 1 ns, or 27.9 M bytes at 8 GB/s."""
    alone = system(Matmul(8, 3200, 8640), "int8", "tpu32", "45nm")
    seconds = evaluate(alone, 1, 8, 0).times.seconds[0, 0].sum(axis=0)
    found = dict(zip(BOUNDS, seconds.tolist(), strict=True))
    bytes_moved = 3200 * 8640 + 8 * 3200 + 8 * 8640
    assert found["off_chip"] == pytest.approx(bytes_moved / 8e9, rel=1e-6)
    assert found["off_chip"] > 0.999 * sum(found.values())
    assert (found["compute"], found["buffer"]) == (0, 0)


def test_a_slow_vector_unit_bounds_the_element_wise_parts_by_their_operations():
    """One operation a cycle: each part takes its operations, at 500 MHz."""
    machine = at("ternary-edge").model_copy(update={"vector": Vector(lanes=1)})
    slow = system("bitnet-125m", "bitnet-b1.58", machine=machine)
    seconds = seconds_of(evaluate(slow, 1, ROWS, 0), slow)
    shape = presets()["bitnet-125m"]
    residual = functions()["residual"]
    operations = shape.layers * 2 * ROWS * shape.hidden * (residual.mul + residual.add)
    assert seconds["residual"][BOUNDS.index("compute")] == pytest.approx(operations / 500e6, rel=1e-6)
    assert seconds["residual"].sum() == seconds["residual"][BOUNDS.index("compute")]
    assert seconds["embedding"].sum() == 0  # its bytes cross meanwhile


def test_a_slow_memory_bounds_the_rest_by_its_bytes():
    """At 1 kB/s the embedding's rows and the KV cache take their bytes."""
    edge = platforms()["ternary-edge"]
    memory = OffChip(memory="lpddr4", bandwidth_gb_per_s=1e-6)
    slow = system("bitnet-125m", "bitnet-b1.58", machine=edge.model_copy(update={"off_chip": memory}))
    seconds = seconds_of(evaluate(slow, 1, ROWS, 0), slow)
    shape = presets()["bitnet-125m"]
    off_chip = BOUNDS.index("off_chip")
    assert seconds["embedding"][off_chip] == pytest.approx(ROWS * shape.hidden * 2 / 1e3, rel=1e-9)
    cached = 2 * shape.layers * ROWS * shape.kv_heads * shape.head_dim * 2
    assert seconds["kv_cache_write"][off_chip] == pytest.approx(cached / 1e3, rel=1e-9)
    assert seconds["norm"].sum() == 0


@pytest.mark.parametrize("scheme", ["fp16", "bitnet-b1.58"])
def test_a_narrow_buffer_bounds_the_rest_by_the_bits_that_are_read_or_written(scheme):
    """One bit a cycle: of all parts the reads, of which there are more than writes."""
    edge = platforms()["ternary-edge"]
    buffers = {name: b.model_copy(update={"width_bits": 1}) for name, b in edge.buffers.items()}
    narrow = system("bitnet-125m", scheme, machine=edge.model_copy(update={"buffers": buffers}))
    found = evaluate(narrow, 1, ROWS, 0)
    prefill = [column for column in COLUMNS if column.phase == "prefill"]
    bits = {"buffer_read": {}, "buffer_write": {}}
    for column, count in zip(prefill, found.counts[0], strict=False):
        if column.component in narrow.layout.elementwise and column.action in bits:
            of = bits[column.action]
            of[column.component] = of.get(column.component, 0.0) + count
    assert sum(bits["buffer_read"].values()) > sum(bits["buffer_write"].values())
    seconds, buffer = seconds_of(found, narrow), BOUNDS.index("buffer")
    cycle_s = 1e-6 / narrow.machine(0, 0, 0).clock_mhz
    for component, count in bits["buffer_read"].items():
        assert seconds[component].sum() == pytest.approx(count * cycle_s, rel=1e-6)
        assert seconds[component][buffer] == seconds[component].sum()
    cached = picked(found.counts, phase="prefill", component="kv_cache_write", action="buffer_read")[0]
    assert seconds["kv_cache_write"][buffer] == pytest.approx(cached * cycle_s, rel=1e-6)


@pytest.mark.parametrize(("queries", "cycles", "of_norm", "of_quantisation"), [(0, 25, 20, 5), (30, 41, 8, 33)])
def test_where_more_is_written_than_read_writes_and_queries_take_the_time(queries, cycles, of_norm, of_quantisation):
    """Two bits a cycle: 40 + 10 are read; 16 + 36 are written and 30 of queries, or 16 + 6 and none."""
    layout = system("bitnet-125m", "bitnet").layout
    at = {name: layout.elementwise.index(name) for name in ("norm", "activation_quantisation")}
    parts = np.zeros((1, 1, len(layout.elementwise), 4))
    parts[0, 0, at["norm"]] = (0, 0, 40, 16)
    parts[0, 0, at["activation_quantisation"]] = (0, 0, 10, 36 if queries else 6)
    machine = SimpleNamespace(
        platform=SimpleNamespace(vector=SimpleNamespace(lanes=1)), width_bits=2, off_chip_bits=1.0
    )
    index, none = np.zeros(1, dtype=np.intp), np.zeros((1, 1))
    written = np.full((1, 1), float(queries))
    rest = rest_of(
        layout,
        SimpleNamespace(parts=np.zeros_like(parts), in_units=None),
        parts,
        written,
        np.zeros((1, 1, 8)),
        none,
        [machine],
        index,
    )
    found = dict(zip(components(layout)[len(layout.matmuls) :], rest.by_component[0, 0], strict=True))
    buffer = BOUNDS.index("buffer")
    assert rest.cycles[0, 0] == cycles
    assert {name: values[buffer] for name, values in found.items() if values.any()} == pytest.approx(
        {"norm": of_norm, "activation_quantisation": of_quantisation}
    )
    assert rest.by_component.sum() == pytest.approx(cycles)
