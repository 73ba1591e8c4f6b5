"""Packings: bits of a weight against files that another package writes, and against counts of what a word must tell."""

import math
from fractions import Fraction
from pathlib import Path

import gguf
import numpy as np
import pytest
import zstandard
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import QuantError, quant_shape_to_byte_shape, quantize

from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.model_files.tensor_types import tensor_types

GGUF_TYPES = ("Q1_0", "TQ1_0", "TQ2_0", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q8_0")
SHAPE = (64, 1024)  # whole blocks of each type, and whole alignments of a file
VALUES = 4_000_000


def exact_bits(name: str) -> Fraction:
    """Return the bits of a value as a fraction, from the entry's own integers."""
    storage = storages()[name]
    scales = Fraction(storage.scale_bits, storage.group) if storage.group else Fraction(0)
    return Fraction(storage.word_bits, storage.values) + scales


def gaussian_trits() -> np.ndarray:
    """Return weights of a normal distribution, rounded as BitNet b1.58 rounds them."""
    weights = np.random.default_rng(18).standard_normal(VALUES)
    return np.clip(np.round(weights / np.abs(weights).mean()), -1, 1).astype(np.int8)


def codes(trits: np.ndarray) -> bytes:
    """Return 2-bit codes, four a byte."""
    four = (trits.reshape(-1, 4) + 1).astype(np.uint8)
    return (four << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("name", GGUF_TYPES)
def test_bits_equal_the_bytes_of_a_file_that_gguf_writes(name, tmp_path: Path):
    kind = GGMLQuantizationType[name]
    weights = np.random.default_rng(1).standard_normal(SHAPE, dtype=np.float32)
    try:
        packed = quantize(weights, kind)
    except (NotImplementedError, QuantError):  # the package reads this type, and writes what others packed
        packed = np.zeros(quant_shape_to_byte_shape(SHAPE, kind), np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "one.gguf", "llama")
    writer.add_tensor("blk.0.ffn_down.weight", packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(tmp_path / "one.gguf")
    (tensor,) = reader.tensors
    assert tensor.n_elements == math.prod(SHAPE)
    in_file = (tmp_path / "one.gguf").stat().st_size - tensor.data_offset
    assert exact_bits(name.lower()) * math.prod(SHAPE) == 8 * in_file


@pytest.mark.parametrize("name", GGUF_TYPES)
def test_a_group_shares_its_scales_as_the_type_says(name):
    values, size = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    storage = storages()[name.lower()]
    assert values % storage.group == 0
    assert values * storage.bits == 8 * size


def test_bits_are_those_of_the_types_of_tensors_in_files():
    shared = {name: kind for name, kind in tensor_types().items() if name.lower() in storages()}
    assert {*GGUF_TYPES, "Q2_0", "PQ2_0"} <= set(shared)
    for name, kind in shared.items():
        assert exact_bits(name.lower()) == Fraction(8 * kind.bytes, kind.values), name
        # read as the next wider format, and blocks of FP4 as the INT8 values that llama.cpp computes with
        assert storages()[name.lower()].holds == kind.holds or name in ("Q3_K", "MXFP4", "NVFP4")


def test_trits_come_back_from_the_packings_of_ggml():
    trits = gaussian_trits()[: math.prod(SHAPE)].reshape(SHAPE).astype(np.float32)
    for name in ("TQ1_0", "TQ2_0"):
        kind = GGMLQuantizationType[name]
        assert np.array_equal(gguf.quants.dequantize(quantize(trits, kind), kind), trits)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("q2_0", Fraction(2 * 64 + 16, 64)),  # 18 bytes for 64
        ("pq2_0", Fraction(34 * 8, 128)),  # 34 bytes for 128, as the model card says
        ("ternary5_g128", Fraction((math.ceil(128 / 5) + 2) * 8, 128)),  # 26 bytes of trits, 2 of scale
        ("tl1", Fraction(math.ceil(math.log2(3**2)), 2)),
        ("ternary3", Fraction(math.ceil(math.log2(3**3)), 3)),  # TL2
        ("ternary2", Fraction(2)),  # I2_S
        ("ternary5", Fraction(math.ceil(math.log2(3**5)), 5)),
        ("ternary_3of4", Fraction(math.ceil(math.log2(math.comb(4, 3) * 2**3)), 4)),
        ("ternary_6of8", Fraction(math.ceil(math.log2(math.comb(8, 6))) + 6, 8)),
        ("trit_planes", 2 * (2 + Fraction(16, 128))),
        ("e8p", Fraction(16, 8)),  # an index of 16 bits for 8 weights
        ("int2_row", Fraction(2)),
        ("int4_row", Fraction(4)),
        ("fairy2i", Fraction(2 * 2 * 2, 2 * 2)),  # stages x complex weights x bits, of 2 x 2 real weights
    ],
)
def test_bits_of_what_gguf_does_not_write_follow_from_the_word(name, bits):
    assert exact_bits(name) == bits


@pytest.mark.parametrize(("name", "of"), [("ternary_3of4", 4), ("ternary_6of8", 8)])
def test_weights_that_are_zero_by_construction_are_the_rest_of_a_word(name, of):
    storage = storages()[name]
    assert storage.values == of
    nonzero = storage.nonzero * of
    assert nonzero == int(nonzero)
    assert math.comb(of, int(nonzero)) * 2 ** int(nonzero) <= 2**storage.word_bits


def test_codes_of_gaussian_trits_compress_to_what_is_stated():
    packed = codes(gaussian_trits())
    bits = 8 * len(zstandard.ZstdCompressor(level=3).compress(packed)) / VALUES
    assert bits == pytest.approx(float(exact_bits("ternary2_zstd")), abs=0.001)


def test_compressed_codes_lie_between_the_entropy_and_five_trits_a_byte():
    # A trit is zero where |z| < E|z| / 2 = 1 / sqrt(2 pi), which has probability erf(1 / (2 sqrt(pi))).
    zero = math.erf(1 / math.sqrt(4 * math.pi))
    entropy = -zero * math.log2(zero) - (1 - zero) * math.log2((1 - zero) / 2)
    assert np.mean(gaussian_trits() == 0) == pytest.approx(zero, abs=0.001)
    assert entropy < exact_bits("ternary2_zstd") < exact_bits("ternary5")


def test_an_operation_for_each_digit_after_the_first_of_a_byte():
    for name, trits in (("ternary5", [5]), ("ternary5_g128", [5] * 25 + [3]), ("tq1_0", [5] * 48 + [4] * 4)):
        storage = storages()[name]
        assert sum(trits) == storage.values
        assert 8 * len(trits) == storage.word_bits
        assert storage.unpack == {"add int8": sum(trits) - len(trits)}
