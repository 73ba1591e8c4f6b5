"""Values of quantised tensors: against the gguf package, and against blocks packed value by value."""

import struct
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.dequantise import DequantisationError, dequantise, read_tensor
from bitjoule.energy_models.model_files.gguf_header import read_gguf
from bitjoule.energy_models.model_files.tensor_types import tensor_types
from tests.energy_models.model_files.gguf_files import halves, raw_gguf, text, write_gguf

TYPES = gguf.GGMLQuantizationType
RNG = np.random.default_rng(1)


def test_every_type_of_the_package_has_its_values() -> None:
    missing = []
    for kind in TYPES:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        stored = RNG.integers(0, 60, size=3 * size, dtype=np.uint8)  # small bytes: no scale is an infinity
        try:
            expected = gguf.dequantize(stored.reshape(-1, size), kind)
        except NotImplementedError:
            missing.append(kind.name)
            continue
        values = dequantise(stored, kind.name, (3, block))
        assert values.dtype == np.float32
        assert np.array_equal(values, np.asarray(expected, np.float32).reshape(3, block))
    assert missing == ["Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "F64", "Q1_0"]


@pytest.mark.parametrize("kind", [TYPES.TQ1_0, TYPES.TQ2_0, TYPES.Q8_0, TYPES.F16, TYPES.F32, TYPES.BF16])
def test_trits_survive(kind: TYPES) -> None:
    trits = (0.25 * RNG.integers(-1, 2, size=(4, 512))).astype(np.float32)
    trits[:, ::256] = 0.25
    values = dequantise(np.ascontiguousarray(gguf.quantize(trits, kind)).view(np.uint8).ravel(), kind.name, (4, 512))
    np.testing.assert_allclose(values, trits, atol=1e-3 if kind is TYPES.Q8_0 else 0)


def pack(codes: NDArray[np.uint8], bits: int) -> bytes:
    """Codes one after the other, the first in the lowest bits of a byte."""
    result = bytearray(len(codes) * bits // 8)
    for i, code in enumerate(codes):
        result[i * bits // 8] |= int(code) << i * bits % 8
    return bytes(result)


def test_q1_0() -> None:
    signs = RNG.integers(0, 2, size=(2, 256), dtype=np.uint8)
    scales = RNG.uniform(0.01, 1, size=(2, 2)).astype(np.float16)
    stored = b"".join(
        halves(scales[row, b : b + 1]) + pack(signs[row, 128 * b : 128 * b + 128], 1) for row in (0, 1) for b in (0, 1)
    )
    expected = (2.0 * signs - 1) * np.repeat(scales, 128, axis=1)
    assert np.array_equal(dequantise(np.frombuffer(stored, np.uint8), "Q1_0", (2, 256)), expected.astype(np.float32))


@pytest.mark.parametrize(("name", "group"), [("Q2_0", 64), ("Q2_0_G128", 128), ("PQ2_0", 128)])
def test_two_bits(name: str, group: int) -> None:
    codes = RNG.integers(0, 4, size=3 * group, dtype=np.uint8)
    scales = RNG.uniform(0.01, 1, size=3).astype(np.float16)
    stored = b"".join(halves(scales[i : i + 1]) + pack(codes[group * i : group * (i + 1)], 2) for i in range(3))
    expected = (codes.astype(np.float32) - 1) * np.repeat(scales.astype(np.float32), group)
    assert np.array_equal(dequantise(np.frombuffer(stored, np.uint8), name, (3 * group,)), expected)


def fraction_byte(digits: NDArray[np.int64]) -> int:
    """The byte whose leading base-3 digits, as a fraction of 256, are these: ceil(256 x 0.d1 d2 ...)."""
    value = sum(int(digit) * 3 ** (4 - i) for i, digit in enumerate(digits))
    return -(-value * 256 // 243)


def test_ptq1_0() -> None:
    trits = RNG.integers(-1, 2, size=128)
    codes = trits + 1
    block = [fraction_byte(codes[j:80:16]) for j in range(16)]  # value t * 16 + j is digit t of byte j
    block += [fraction_byte(codes[80 + j : 120 : 8]) for j in range(8)]
    block += [fraction_byte(codes[120 + j :: 2]) for j in range(2)]
    stored = bytes(block) + halves(np.array([0.5]))
    assert np.array_equal(dequantise(np.frombuffer(stored, np.uint8), "PTQ1_0", (128,)), 0.5 * trits)


def test_the_same_trits_in_both_base_three_packings() -> None:
    """TQ1_0 of the gguf package packs bytes as PTQ1_0 does: the first 16 x 5 of it are those of `fraction_byte`."""
    trits = RNG.integers(-1, 2, size=256)
    trits[0] = 1
    block = gguf.quantize(trits.astype(np.float32)[None], TYPES.TQ1_0)[0]
    assert [fraction_byte(trits[j:160:32] + 1) for j in range(32)] == block[:32].tolist()


def test_i2_s() -> None:
    trits = RNG.integers(-1, 2, size=(3, 256))
    packed = bytearray(trits.size // 4)
    for i, trit in enumerate(trits.ravel()):
        block, within = divmod(i, 128)
        packed[32 * block + within % 32] |= (int(trit) + 1) << 6 - 2 * (within // 32)
    stored = bytes(packed) + struct.pack("<f", 0.75) + bytes(28)
    assert np.array_equal(dequantise(np.frombuffer(stored, np.uint8), "I2_S", (3, 256)), 0.75 * trits)


def test_rows_of_a_file(tmp_path: Path) -> None:
    weights = RNG.normal(size=(5, 64)).astype(np.float32)
    path = write_gguf(tmp_path / "m.gguf", "llama", {}, {"a": (weights, TYPES.Q8_0), "b": weights})
    tensors = read_gguf(path).tensors
    whole = read_tensor(tensors["a"], "m")
    assert np.array_equal(whole, gguf.dequantize(gguf.quantize(weights, TYPES.Q8_0), TYPES.Q8_0))
    assert np.array_equal(read_tensor(tensors["a"], "m", 1, 3), whole[1:3])
    assert np.array_equal(read_tensor(tensors["b"], "m"), weights)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="m:1: b: is cut short; expected 40 more bytes"):
        read_tensor(tensors["b"], "m")


def test_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"general.architecture": struct.pack("<I", 8) + text("bitnet")}
    path = raw_gguf(tmp_path / "m.gguf", keys, {"w": (38, (32, 256), bytes(32 * 64 + 32))})
    with pytest.raises(InputError, match="w: the order of TL1 values depends on the machine"):
        read_tensor(read_gguf(path).tensors["w"], "m")
    with pytest.raises(DequantisationError, match="gguf has no values for Q8_1; expected a file of another type"):
        dequantise(np.zeros(40, np.uint8), "Q8_1", (32,))
    with pytest.raises(ValueError, match=r"17 bytes for shape \(32,\) of Q8_0, which takes 34"):
        dequantise(np.zeros(17, np.uint8), "Q8_0", (32,))
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(DequantisationError, match=r"values of TQ1_0 need the package gguf; .*bitjoule\[models\]"):
        dequantise(np.zeros(54, np.uint8), "TQ1_0", (256,))
    assert tensor_types()["Q1_0"].size((128,)) == dequantise(np.zeros(18, np.uint8), "Q1_0", (128,)).size // 8 + 2
