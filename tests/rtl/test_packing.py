import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.rtl import packing
from bitjoule.rtl.config import AcceleratorConfig


def test_a_command_holds_its_sizes_where_documented():
    assert packing.command_beat(0xABCD, 0x123456, 0x789ABC) == 0x789ABC_123456_ABCD


@pytest.mark.parametrize("sizes", [(1 << 16, 1, 1), (1, 1 << 24, 1), (1, 1, 1 << 24), (-1, 1, 1)])
def test_a_size_that_does_not_fit_is_refused(sizes):
    with pytest.raises(ValueError, match="does not fit"):
        packing.command_beat(*sizes)


def test_bytes_of_memory_are_lanes_in_order():
    config = AcceleratorConfig(8, 5, 64, 64, weight_encoding="ternary5")
    beat = packing.activation_beat(config, [0, 1, -1, 127, -128])
    assert beat.to_bytes(8, "little") == bytes([0, 1, 255, 127, 128, 0, 0, 0])
    rows = [[0, 0, 0, 0, 0], [1, 1, 0, -1, 1]]  # 11 111 000, and 01 000 111 by hand
    (weights,) = packing.weight_beats(config, rows)
    assert weights.to_bytes(8, "little") == bytes([0xF8, 0b01_000_111, *[0xF8] * 6])


def test_a_tile_wider_than_the_bus_comes_low_lanes_first():
    config = AcceleratorConfig(8, 4, 64, 16)
    rows = [[1, 0, 0, 0]] * 2 + [[0, 0, 0, -1]] * 2
    assert packing.weight_beats(config, rows) == [0x0101, 0x8080, 0, 0]


def test_narrow_activations_stand_side_by_side():
    config = AcceleratorConfig(8, 4, 64, 64, activation_bits=3)
    assert packing.activation_beat(config, [1, -1, 0, -4]) == 0b100_000_111_001


def test_results_are_two_s_complement():
    config = AcceleratorConfig(8, 3, 64, 64)
    assert config.result_bits == 16
    assert packing.result_sums(config, 0x7FFF_FFFF_8000) == [-32768, -1, 32767]


def test_words_that_are_multiplied_stand_column_by_column_low_lanes_first():
    config = AcceleratorConfig(8, 2, 64, 64, weight_encoding="int8")
    assert packing.weight_beats(config, [[1, -1], [127, -128], [2, 3], [4, 5], [6, 7]]) == [
        0x05_04_03_02_80_7F_FF_01, 0x07_06,
    ]  # fmt: skip
    config = AcceleratorConfig(8, 2, 64, 32, weight_encoding="fp16")
    assert packing.weight_beats(config, [[0x3C00, 0xBC00], [0, 0x7E00]]) == [0xBC00_3C00, 0x7E00_0000, *[0] * 6]
    assert packing.activation_beat(config, [0x3C00, 0xFC00]) == 0xFC00_3C00
    assert packing.result_sums(config, 0xFF800000_3F800000) == [0x3F800000, 0xFF800000]  # the bits of FP32


def test_scales_follow_the_lanes_of_a_tile():
    config = AcceleratorConfig(8, 2, 64, 64, activation_bits=16)
    half, one, minus = 0x3800, 0x3C00, 0x8000
    rows = [[half, 0], [half | minus, one], [0, one | minus]]  # codes 01 and 00, 10 and 01, 00 and 10
    assert packing.weight_beats(config, rows) == [one << 48 | half << 32 | 0b1000_0110_0001]
    binary = AcceleratorConfig(8, 2, 64, 24, weight_encoding="binary1", activation_bits=16)
    first, second = packing.weight_beats(binary, [[half, minus], [half | minus, 0]])
    assert second << 24 | first == half << 16 | 0b1001  # the second column's scale is zero, which has a sign


@pytest.mark.parametrize(("encoding", "word"), [("int8", 128), ("int8", -129), ("fp16", -1), ("fp16", 1 << 16)])
def test_a_word_that_does_not_fit_is_refused(encoding, word):
    config = AcceleratorConfig(8, 1, 64, 128, weight_encoding=encoding)
    with pytest.raises(ValueError, match=f"{encoding} cannot encode {word}"):
        packing.weight_beats(config, [[word]])


@given(m=st.integers(1, 9), k=st.integers(1, 30), n=st.integers(1, 9), tokens=st.integers(1, 4))
def test_tiles_cover_every_weight_once_for_each_block_of_tokens(m, k, n, tokens):
    config = AcceleratorConfig(8, 4, 64, 64, tokens=tokens)
    tiles = list(packing.tiles(config, m, k, n))
    assert len(tiles) == len(set(tiles)) == -(-m // tokens) * -(-k // 8) * -(-n // 4)
    assert sum(tile.tokens for tile in tiles) == m * -(-k // 8) * -(-n // 4)
    assert sorted(tiles, key=lambda tile: (tile.m, tile.n, tile.k)) == tiles


def test_a_matmul_goes_through_the_streams_and_comes_back():
    config = AcceleratorConfig(8, 4, 64, 64, tokens=2)
    product = [[100 * row + column for column in range(6)] for row in range(3)]
    beats = []
    for tile in packing.tiles(config, 3, 1, 6):
        for row in range(tile.m, tile.m + tile.tokens):
            sums = [*product[row][tile.n : tile.n + 4], 0, 0, 0, 0][:4]
            beats.append(sum(value << (16 * column) for column, value in enumerate(sums)))
    assert packing.matmul_results(config, beats, 3, 6) == product
