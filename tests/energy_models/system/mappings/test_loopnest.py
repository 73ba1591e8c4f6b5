"""Mappings as text: the loops that are printed cover the matmul, and a saved mapping comes back as it was."""

import os
import re
from itertools import pairwise
from math import prod

import pytest
import yaml

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.loopnest import loop_nest, read, replayed, save
from bitjoule.energy_models.system.mappings.mapping import Mapping, MatmulProblem, Objective, Tiles, replay
from bitjoule.energy_models.system.mappings.search import search
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind

NAMES = {"platform": "tpu32", "scheme": "int8", "technology": "45nm"}
SETUPS = [("tpu32", "int8"), ("ternary-edge", "bitnet-b1.58"), ("ternary-edge", "bitnet-b1.58-5in8"),
          ("fp16-hbm", "fp16")]  # fmt: skip
SIZES = [(1, 1, 1), (1, 3200, 8640), (512, 3200, 8640), (7, 65, 17), (100, 4097, 31), (4096, 64, 1024)]


def problem(platform: str, scheme: str, m: int, k: int, n: int) -> MatmulProblem:
    machine = Machine(schemes()[scheme], platforms()[platform], technologies()["45nm"], platform)
    return machine.problem(MatmulKind.STANDALONE, m, k, n, resident=False, reserved_bits=0.0)


def best(of: MatmulProblem, objective: Objective = Objective.ENERGY) -> Mapping:
    found = search(of, objective)
    assert found is not None
    return found


def counts(text: str) -> list[int]:
    return [int(count) for count in re.findall(r"# (\d+) times", text)]


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("setup", SETUPS)
def test_a_saved_mapping_is_replayed_with_the_same_traffic(tmp_path, setup, size, objective):
    of = problem(*setup, *size)
    found = best(of, objective)
    path = tmp_path / "mapping.yaml"
    save(path, NAMES, of, found)
    assert replayed(path, read(path), of) == found
    assert [entry.name for entry in tmp_path.iterdir()] == ["mapping.yaml"]


def test_a_saved_mapping_replaces_no_pipe_and_no_device(tmp_path):
    of = problem("tpu32", "int8", 1, 64, 64)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InputError) as error:
        save(path, NAMES, of, best(of))
    assert str(error.value) == f"{path}:1: file: is not a regular file; expected a file, new or to be replaced"
    assert path.is_fifo()


def test_a_saved_mapping_names_what_it_was_found_for_in_tokens_and_features(tmp_path):
    of = problem("tpu32", "int8", 512, 3200, 8640)
    save(tmp_path / "mapping.yaml", NAMES, of, best(of))
    saved = yaml.safe_load((tmp_path / "mapping.yaml").read_text())
    assert {key: saved[key] for key in NAMES} == NAMES
    assert saved["matmul"] == {"m": 512, "k": 3200, "n": 8640}
    assert saved["array"]["tile"]["k"] * saved["array"]["tile"]["n"] <= 32 * 32 * 128  # weights that the PEs hold


# buffer tiles and array tiles in blocks, each a divisor of the one around it: nothing is cut off at an edge
@pytest.mark.parametrize(
    "tiles", [(128, 10, 6, 64, 1, 1), (64, 5, 3, 32, 1, 1), (16, 1, 2, 1, 1, 1), (8, 2, 6, 8, 1, 1)]
)
@pytest.mark.parametrize("inner", [(0, 0), (1, 2), (2, 1), (2, 2)])
def test_the_counts_of_the_printed_loops_multiply_to_the_blocks_of_the_matmul(tiles, inner):
    of = problem("ternary-edge", "bitnet-b1.58", 128, 10 * 64, 6 * 16)
    text = loop_nest(of, replay(of, Tiles(*tiles, *inner)))
    ((tokens,),) = [re.findall(r" array: a tile of (\d+) tokens? x", text)]
    ((blocks,),) = [re.findall(r"array: (\d+) blocks? of", text)]
    assert prod(counts(text)) * int(tokens) * int(blocks) == 128 * 10 * 6


def test_one_token_and_one_block_are_printed_in_the_singular():
    of = problem("ternary-edge", "bitnet-b1.58", 2, 64, 32)
    assert loop_nest(of, replay(of, Tiles(2, 1, 2, 1, 1, 1, 0, 0))).splitlines() == [
        "buffer: a tile of 2 tokens x 64 in x 32 out",
        "  for n in 0..32 by 16  # 2 times",
        "    for m in 0..2 by 1  # 2 times",
        "      array: a tile of 1 token x 64 in x 16 out",
        "        array: 1 block of 64 x 16, one token a cycle",
    ]


def test_copies_of_an_array_are_printed():
    of = problem("ternary-edge", "bitnet-b1.58", 2, 64, 32)
    of = of._replace(array=of.array._replace(copies=3))
    text = loop_nest(of, replay(of, Tiles(2, 1, 2, 2, 1, 2, 0, 0)))
    assert text.splitlines()[-1].strip() == "array: 2 blocks of 64 x 16, one token a cycle in each of 3 copies"


def test_several_weights_a_pe_are_blocks_of_one_array_tile():
    of = problem("tpu32", "int8", 16, 128 * 32, 3 * 32)
    text = loop_nest(of, replay(of, Tiles(16, 128, 3, 1, 64, 1, 0, 0)))
    assert "array: 64 blocks of 32 x 32" in text
    assert prod(counts(text)) * 64 == 16 * 128 * 3
    text = loop_nest(of, replay(of, Tiles(16, 128, 3, 1, 32, 3, 0, 0)))
    assert "array: 96 blocks of 32 x 32" in text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("setup", SETUPS)
def test_the_printed_loops_cover_every_token_and_feature_once(setup, size):
    of = problem(*setup, *size)
    text = loop_nest(of, best(of))
    for dimension, whole in zip("mkn", size, strict=True):
        starts, end = [0], whole
        for stop, step in re.findall(rf"for {dimension} in 0\.\.(\d+) by (\d+) ", text):
            assert int(stop) == end  # a loop runs over the tile of the loop around it
            starts = [start + i for start in starts for i in range(0, end, int(step)) if start + i < whole]
            end = int(step)
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert max(b - a for a, b in pairwise([*starts, whole])) <= end


def test_a_given_mapping_is_printed_loop_by_loop():
    of = problem("ternary-edge", "bitnet-b1.58", 128, 256, 96)
    nest = replay(of, Tiles(128, 2, 3, 64, 1, 1, 2, 0))  # buffer: 128 x 128 x 48; array: 64 x 64 x 16
    assert loop_nest(of, nest) == (
        "for k in 0..256 by 128  # 2 times\n"
        "  for n in 0..96 by 48  # 2 times\n"
        "    buffer: a tile of 128 tokens x 128 in x 48 out\n"
        "      for n in 0..48 by 16  # 3 times\n"
        "        for k in 0..128 by 64  # 2 times\n"
        "          for m in 0..128 by 64  # 2 times\n"
        "            array: a tile of 64 tokens x 64 in x 16 out\n"
        "              array: 1 block of 64 x 16, one token a cycle"
    )


def test_a_matmul_of_one_tile_needs_no_loop():
    of = problem("ternary-edge", "bitnet-b1.58", 3, 60, 10)
    text = loop_nest(of, best(of))
    assert counts(text) == []
    assert text.splitlines()[0] == "buffer: a tile of 3 tokens x 60 in x 10 out"


def edited(path, key: str, **tile: int) -> None:
    data = yaml.safe_load(path.read_text())
    data[key]["tile"] |= tile
    path.write_text("# edited\n" + yaml.safe_dump(data, sort_keys=False))


@pytest.mark.parametrize(
    ("level", "tile", "why"),
    [
        ("array", {"k": 128}, "a PE holds one weight"),
        ("array", {"m": 65}, "a column holds 64 sums"),
        ("buffer", {"n": 8640}, "half of 512 KiB holds no 3200 x 8640 trits"),
        ("buffer", {"n": 1}, "the array's tile is larger than the buffer's"),
    ],
)
def test_a_tile_too_large_is_refused_with_its_file_and_line(tmp_path, level, tile, why):
    of = problem("ternary-edge", "bitnet-b1.58", 512, 3200, 8640)
    path = tmp_path / "mapping.yaml"
    save(path, NAMES, of, replay(of, Tiles(64, 50, 2, 64, 1, 1, 0, 0)))
    assert replayed(path, read(path), of)
    if tile == {"n": 1}:
        edited(path, "array", n=32, k=32)
    edited(path, level, **tile)
    with pytest.raises(InputError) as error:
        replayed(path, read(path), of)
    line = path.read_text().splitlines().index("buffer:") + 1
    assert str(error.value).startswith(f"{path}:{line}: buffer: the tiles do not fit the registers, accumulators"), why


@pytest.mark.parametrize("size", ["m", "k", "n"])
def test_a_tile_beyond_the_matmul_is_one_that_ends_with_it(tmp_path, size):
    of = problem("ternary-edge", "bitnet-b1.58", 64, 128, 96)
    path = tmp_path / "mapping.yaml"
    saved = replay(of, Tiles(64, 2, 6, 64, 1, 1, 0, 0))
    save(path, NAMES, of, saved)
    edited(path, "buffer", **{size: 500})
    assert replayed(path, read(path), of) == saved


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("innermost: m", "innermost: x", "13: buffer.innermost: 'x' is unknown"),
        ("m: 512", "m: 0", "5: matmul.m: got 0; expected greater than or equal to 1"),
        ("platform: tpu32", "plattform: tpu32", "1: plattform: unknown key (did you mean 'platform'?)"),
        ("buffer:", "buffers:", "8: buffers: unknown key (did you mean 'buffer'?)"),
    ],
)
def test_a_file_that_is_no_saved_mapping_is_refused_with_its_line(tmp_path, old, new, message):
    of = problem("tpu32", "int8", 512, 3200, 8640)
    path = tmp_path / "mapping.yaml"
    save(path, NAMES, of, best(of))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}:{message}")


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    of = problem("tpu32", "int8", 1, 32, 32)
    with pytest.raises(InputError, match="cannot be written: No such file or directory; expected a file that can be"):
        save(tmp_path / "none" / "mapping.yaml", NAMES, of, best(of))
    assert list(tmp_path.iterdir()) == []
