import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.rtl import packing
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.sim.accelerator import streams
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case, operands

TRITS = ("binary1", "ternary2", "ternary5")
ENCODINGS = (*TRITS, "int8", "int4", "int2", "fp16")


@st.composite
def configurations(draw):
    lanes, columns = draw(st.integers(8, 17)), draw(st.integers(1, 7))
    encoding = draw(st.sampled_from(ENCODINGS))
    keys = {"tokens": draw(st.integers(1, 3)), "weight_encoding": encoding}
    if encoding in TRITS and draw(st.booleans()):
        lanes, keys["activation_bits"] = draw(st.sampled_from([8, 16])), 16
    elif encoding == "fp16":
        keys["accumulation"] = draw(st.sampled_from(["fp32", "fp16"]))
        keys["datapath"] = "rounding_tree"
    else:
        keys["activation_bits"] = draw(st.integers(1, 8))
    wide = AcceleratorConfig(lanes, columns, 64, 4096, **keys)
    bus = wide.tile_bits // draw(st.integers(1, 4))
    try:
        return AcceleratorConfig(lanes, columns, 64, bus, **keys)
    except ConfigError:
        return wide


sizes = st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 15))


@settings(max_examples=150, deadline=None)
@given(configurations(), sizes, st.integers(0, 1 << 30))
def test_arrays_of_beats_are_the_beats_of_packing(config, sizes, seed):
    m, k, n = sizes
    x, w = operands(config, Case("any", (MatmulShape(m, k, n),), seed=seed), 0)
    plain = [values.view(np.uint16) if config.floating_point else values for values in (x, w)]
    weights = streams.beats_as_integers(streams.weight_stream(config, w, m))
    assert weights == list(packing.matmul_weight_beats(config, m, plain[1].tolist()))
    activations = streams.beats_as_integers(streams.activation_stream(config, x, n))
    assert activations == list(packing.matmul_activation_beats(config, plain[0].tolist(), n))


@settings(max_examples=50, deadline=None)
@given(configurations(), sizes, st.integers(0, 1 << 30))
def test_products_come_back_as_packing_reads_them(config, sizes, seed):
    m, _, n = sizes
    beats = streams.result_beats(config, m, n)
    raw = np.random.default_rng(seed).integers(0, 256, (beats, config.result_bus_bits // 8)).astype(np.uint8)
    product = streams.product_of_results(config, raw, m, n)
    if config.floating_point:
        product = product.view(f"u{product.itemsize}")
    assert product.tolist() == packing.matmul_results(config, streams.beats_as_integers(raw), m, n)


def test_weights_that_the_encoding_cannot_say_are_refused():
    zero = np.zeros((8, 4), np.int8)
    with pytest.raises(ValueError, match="binary1 cannot encode a zero"):
        streams.weight_stream(AcceleratorConfig(8, 4, 64, 32, weight_encoding="binary1"), zero)
    with pytest.raises(ValueError, match="weights are int8; fp16 encodes float16"):
        streams.weight_stream(AcceleratorConfig(8, 4, 64, 512, weight_encoding="fp16"), zero)
    with pytest.raises(ValueError, match="weights are float32; fp16 encodes float16"):  # not rounded on the way
        streams.weight_stream(AcceleratorConfig(8, 4, 64, 512, weight_encoding="fp16"), zero.astype(np.float32))
    with pytest.raises(ValueError, match="weights are int16; int8 encodes int8"):  # 300 would become 44
        streams.weight_stream(AcceleratorConfig(8, 4, 64, 512, weight_encoding="int8"), zero.astype(np.int16) + 300)
    with pytest.raises(ValueError, match="not -1, 0 or \\+1"):
        streams.weight_stream(AcceleratorConfig(8, 4, 64, 64), zero + 2)
    for encoding, outside in (("int4", 8), ("int4", -9), ("int2", 2), ("int2", -3)):
        with pytest.raises(ValueError, match=f"a weight is not -.*; {encoding} encodes no other values"):
            streams.weight_stream(AcceleratorConfig(8, 4, 64, 512, weight_encoding=encoding), zero + np.int8(outside))


def test_weights_that_no_scale_says_are_refused():
    config = AcceleratorConfig(8, 2, 64, 64, activation_bits=16)
    weights = np.where(np.arange(20)[:, np.newaxis] % 3, np.float16(0.5), np.float16(0)) * np.ones((1, 2), np.float16)
    trits, scales = streams.trits_and_scales(config, -weights)
    assert (trits == np.where(weights, -1, 0)).all()
    assert scales.tolist() == [[0.5, 0.5]] * 3
    weights[17, 1] = 0.25
    with pytest.raises(ValueError, match="column 1 has weights of several magnitudes in rows 16 to 19, a tile"):
        streams.weight_stream(config, weights)
    with pytest.raises(ValueError, match="weights of 2 magnitudes, expected one scale"):
        packing.weight_beats(config, weights[16:].view(np.uint16).tolist())
    with pytest.raises(ValueError, match="weights are int8; ternary2 with scales encodes float16"):
        streams.weight_stream(config, trits)
    binary = AcceleratorConfig(8, 2, 64, 48, activation_bits=16, weight_encoding="binary1")
    with pytest.raises(ValueError, match="several magnitudes in rows 0 to 7"):
        streams.weight_stream(binary, np.where(weights == 0, np.float16(0), np.float16(1)))


def test_a_scale_of_zero_keeps_the_signs_of_weights_that_have_no_zero():
    config = AcceleratorConfig(8, 1, 64, 24, activation_bits=16, weight_encoding="binary1")
    weights = np.array([[0.0], [-0.0]] * 4, np.float16)
    trits, scales = streams.trits_and_scales(config, weights)
    assert trits.ravel().tolist() == [1, -1] * 4
    assert scales.tolist() == [[0.0]]


@pytest.mark.parametrize(("lanes", "bits"), [(8, 2), (64, 0.25), (128, 0.125)])
def test_scales_cost_sixteen_bits_a_tile_and_column(lanes, bits):
    config = AcceleratorConfig(lanes, 4, 4096, 3 * 1024, activation_bits=16)
    assert config.tile_bits == lanes * 4 * (2 + bits)


@pytest.mark.parametrize(
    ("encoding", "bits"), [("binary1", 1), ("ternary2", 2), ("ternary5", 1.6), ("int2", 2), ("int4", 4), ("int8", 8)]
)
def test_a_layer_costs_the_bits_its_encoding_promises(encoding, bits):
    config = AcceleratorConfig(64, 5, 4096, 64, weight_encoding=encoding)  # 64 bits divide every tile
    w = np.ones((640, 50), np.int8)
    assert streams.weight_stream(config, w).size * 8 == 640 * 50 * bits
