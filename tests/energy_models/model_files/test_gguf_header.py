"""Headers of GGUF files: sizes as the gguf package has them, and what is wrong with a damaged file."""

import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.gguf_header import Skipped, read_gguf
from bitjoule.energy_models.model_files.tensor_types import tensor_types
from tests.energy_models.model_files.gguf_files import raw_gguf, text, write_gguf

TYPES = gguf.GGMLQuantizationType
RNG = np.random.default_rng(0)
NAME = {"general.architecture": struct.pack("<I", 8) + text("llama")}


def test_sizes_are_those_of_the_gguf_package() -> None:
    ours = {name: (kind.code, kind.values, kind.bytes) for name, kind in tensor_types().items()}
    theirs = {kind.name: (kind.value, *gguf.GGML_QUANT_SIZES[kind]) for kind in TYPES}
    assert {name: ours[name] for name in theirs} == theirs
    assert set(ours) - set(theirs) == {"I2_S", "TL1", "TL2", "Q2_0", "Q2_0_G128", "PQ2_0", "PTQ1_0"}


def test_header_equals_that_of_the_gguf_package(tmp_path: Path) -> None:
    weights = RNG.normal(size=(6, 512)).astype(np.float32)
    written = [k for k in TYPES if k in (TYPES.Q4_0, TYPES.Q8_0, TYPES.TQ1_0, TYPES.TQ2_0, TYPES.BF16)]
    tensors: dict[str, Any] = {kind.name: (weights, kind) for kind in written}
    tensors |= {"half": weights.astype(np.float16), "single": weights[0, :7]}
    keys = {"llama.block_count": 3, "llama.eps": 0.5, "flag": True, "heads": [4, 2, 4], "words": ["a", "bc"]}
    path = write_gguf(tmp_path / "m.gguf", "llama", keys, tensors)
    header, theirs = read_gguf(path), gguf.GGUFReader(path)
    assert {t.name: (t.type, t.shape, t.start, t.bytes) for t in header.tensors.values()} == {
        t.name: (t.tensor_type.name, tuple(reversed(t.shape.tolist())), t.data_offset, t.n_bytes)
        for t in theirs.tensors
    }
    expected = {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert header.metadata == {**expected, "words": Skipped(2)}
    assert sum(t.bytes for t in header.tensors.values()) == sum(t.n_bytes for t in theirs.tensors)


def stored(code: int, shape: tuple[int, ...], size: int) -> tuple[int, tuple[int, ...], bytes]:
    return code, shape, bytes(size)


@pytest.mark.parametrize(
    ("code", "shape", "size", "name"),
    [
        (36, (3, 128), 3 * 128 // 4 + 32, "I2_S"),  # ggml_nbytes of bitnet.cpp: bytes / 4 + 32
        (38, (32, 256), 32 * 256 // 4 + 32, "TL1"),
        (39, (96, 640), 96 * 384 * 5 // 24 + 96 * 256 // 4 + 32, "TL2"),  # 3 trits in 5 bits, 256 of a row 2 in 4
        (39, (96, 640), 96 * 640 // 32 * 17, "MXFP4"),
        (42, (64, 128), 64 * 2 * 18, "Q2_0"),
        (42, (64, 128), 64 * 34, "Q2_0_G128"),
        (142, (2, 128), 2 * 34, "PQ2_0"),
        (143, (2, 128), 2 * 28, "PTQ1_0"),
        (41, (2, 128), 2 * 18, "Q1_0"),
    ],
)
def test_types_that_the_package_lacks(tmp_path: Path, code: int, shape: tuple[int, ...], size: int, name: str) -> None:
    for tensors in (
        {"w": stored(code, shape, size)},
        {"w": stored(code, shape, size), "norm": stored(0, (4,), 16)},
        {"norm": stored(0, (4,), 16), "w": stored(code, shape, size), "v": stored(code, shape, size)},
    ):
        header = read_gguf(raw_gguf(tmp_path / "m.gguf", NAME, tensors))
        assert (header.tensors["w"].type, header.tensors["w"].bytes) == (name, size)


def test_shards(tmp_path: Path) -> None:
    count = {"split.count": struct.pack("<IH", 2, 2)}
    first = raw_gguf(tmp_path / "m-00001-of-00002.gguf", NAME | count, {"a": stored(0, (2, 4), 32)})
    with pytest.raises(InputError, match=r"split.count: m-00002-of-00002.gguf not found; expected all 2 shards"):
        read_gguf(first)
    second = raw_gguf(tmp_path / "m-00002-of-00002.gguf", count, {"b": stored(1, (2, 4), 16)})
    assert [(t.name, t.bytes, t.path) for t in read_gguf(first).tensors.values()] == [
        ("a", 32, first), ("b", 16, second),
    ]  # fmt: skip
    with pytest.raises(InputError, match="is one of 2 shards; expected the path of the first"):
        read_gguf(second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b"GGML" + b[4:], "file: is not a GGUF file: it does not begin with GGUF; expected a model file"),
        (lambda b: b[:4] + struct.pack("<I", 1) + b[8:], "file: is GGUF version 1; expected version 2 or 3"),
        (lambda b: b[:4] + struct.pack(">I", 3) + b[8:], "file: is a big-endian GGUF file; expected a little-endian"),
        (lambda b: b[:2], "file: is not a GGUF file"),
        (lambda b: b[:15], "file: is cut short: the file ends after 15 bytes; expected a complete GGUF file"),
        (lambda b: b[:90], "w: is cut short: the file ends after 90 bytes"),
        (lambda b: b[:-1], "norm: is cut short: it ends 1 bytes after the file; expected 16 bytes of F32"),
        (lambda b: b + bytes(33), "norm: has 49 bytes; expected 16 bytes of F32, padded to a multiple of 32"),
        (lambda b: b.replace(b"\x29\0\0\0\0\0\0\0\0\0\0\0", b"\xee\0\0\0\0\0\0\0\0\0\0\0"),
         "w: unknown tensor type 238; expected one of 0 (F32), "),
        (lambda b: b.replace(b"\x29\0\0\0\0\0\0\0\0\0\0\0", b"\x0c\0\0\0\0\0\0\0\0\0\0\0"),
         "w: a row of 128 values is not a multiple of 256, a block of Q4_K; expected whole blocks"),
        (lambda b: b.replace(b"\x29\0\0\0\0\0\0\0\0\0\0\0", b"\x08\0\0\0\0\0\0\0\0\0\0\0"),
         "w: has 64 bytes; expected 272 bytes of Q8_0, padded to a multiple of 32"),
    ],
)  # fmt: skip
def test_damaged(tmp_path: Path, change: Any, message: str) -> None:
    path = raw_gguf(tmp_path / "m.gguf", NAME, {"w": stored(41, (2, 128), 36), "norm": stored(0, (4,), 16)})
    whole = path.read_bytes()
    path.write_bytes(change(whole[: len(whole) - 16]))  # without the last tensor's padding
    with pytest.raises(InputError) as error:
        read_gguf(path, "m.gguf")
    assert str(error.value).startswith("m.gguf:1: " + message)


def test_every_cut_is_refused(tmp_path: Path) -> None:
    path = raw_gguf(tmp_path / "m.gguf", NAME, {"w": stored(41, (2, 128), 36), "norm": stored(0, (4,), 16)})
    whole = path.read_bytes()[:-16]
    read_gguf(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_gguf(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file: does not exist; expected a GGUF file"):
        read_gguf(tmp_path / "none.gguf")
    with pytest.raises(InputError, match="file: is a directory; expected a GGUF file"):
        read_gguf(tmp_path)


def test_a_file_without_tensors(tmp_path: Path) -> None:
    header = read_gguf(raw_gguf(tmp_path / "m.gguf", NAME, {}))
    assert (header.metadata, header.tensors) == ({"general.architecture": "llama"}, {})
