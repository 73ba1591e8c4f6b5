"""The layout of the beats of the four streams: the reference definition, in plain Python.

A beat is an integer; bit i of it is bit i of ``tdata``, so byte j of memory is bits 8j+7..8j. A floating-point number
is the integer with its bits.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS, FP16_BITS, AcceleratorConfig


class Tile(NamedTuple):
    """One weight tile of a matmul and the block of tokens that uses it.

    Parameters
    ----------
    m, k, n
        First token, first row and first column of it.
    tokens
        Tokens of the block.
    """

    m: int
    k: int
    n: int
    tokens: int


def tiles(config: AcceleratorConfig, m: int, k: int, n: int) -> Iterator[Tile]:
    """Yield the tiles of a matmul in the order of the streams.

    Parameters
    ----------
    config
        Lanes, columns, tokens.
    m, k, n
        The matmul's sizes.
    """
    for first_m in range(0, m, config.tokens):
        for first_n in range(0, n, config.columns):
            for first_k in range(0, k, config.lanes):
                yield Tile(first_m, first_k, first_n, min(config.tokens, m - first_m))


def command_beat(m: int, k: int, n: int) -> int:
    """Return the command of a matmul.

    Parameters
    ----------
    m, k, n
        Its sizes; a malformed command may hold any that fit.

    Raises
    ------
    ValueError
        A size does not fit its field.
    """
    beat = shift = 0
    for name, size, bits in (("m", m, COMMAND_M_BITS), ("k", k, COMMAND_K_BITS), ("n", n, COMMAND_N_BITS)):
        if not 0 <= size < 1 << bits:
            raise ValueError(f"{name} = {size} does not fit the command's {bits} bits")
        beat |= size << shift
        shift += bits
    return beat


def weight_beats(config: AcceleratorConfig, rows: Sequence[Sequence[int]]) -> list[int]:
    """Return the beats of one tile.

    Parameters
    ----------
    config
        The encoding, the tile and the bus.
    rows
        One per lane, each with one trit or word per column; missing lanes and columns are padded. Where trits have
        scales: trit times scale, in FP16.

    Raises
    ------
    ValueError
        The encoding cannot encode a value, or a column of a tile has weights of several magnitudes.
    """
    encoding = config.encoding
    missing = [encoding.padding()] * config.columns
    tile = 0
    if config.scaled:
        columns = [_trits_and_scale(column, zero=encoding.zero) for column in zip(*rows, strict=True)]
        rows = list(zip(*(trits for trits, _ in columns), strict=True))
        for column, (_, scale) in enumerate(columns):
            tile |= scale << (config.scales_begin + column * FP16_BITS)
    for lane in range(config.lanes):
        row = [*rows[lane], *missing][: config.columns] if lane < len(rows) else missing
        tile |= encoding.encode_row(row) << (lane * encoding.row_bits(config.columns))
    mask = (1 << config.weight_bus_bits) - 1
    return [tile >> (beat * config.weight_bus_bits) & mask for beat in range(config.tile_beats)]


def _trits_and_scale(words: Sequence[int], *, zero: bool) -> tuple[list[int], int]:
    """Return the trits and the scale, a magnitude, that are FP16 weights; without a zero, -0 is -1 times 0."""
    sign = 1 << (FP16_BITS - 1)
    magnitudes = {word & (sign - 1) for word in words} - ({0} if zero else set())
    if len(magnitudes) > 1:
        raise ValueError(f"a column of a tile has weights of {len(magnitudes)} magnitudes, expected one scale")
    scale = magnitudes.pop() if magnitudes else 0
    return [0 if zero and not word & (sign - 1) else -1 if word & sign else 1 for word in words], scale


def activation_beat(config: AcceleratorConfig, values: Sequence[int]) -> int:
    """Return one token's activations for one tile of K.

    Parameters
    ----------
    config
        Lanes and activation bits.
    values
        One per lane; missing lanes are zero, as they must be.
    """
    mask = (1 << config.activation_bits) - 1
    beat = 0
    for lane, value in enumerate(values):
        beat |= (value & mask) << (lane * config.activation_bits)
    return beat


def result_sums(config: AcceleratorConfig, beat: int) -> list[int]:
    """Return the sums of one beat of results, one per column.

    Parameters
    ----------
    config
        Columns and bits of a result.
    beat
        Its tdata.
    """
    bits = config.result_bits
    words = [beat >> (column * bits) & ((1 << bits) - 1) for column in range(config.columns)]
    return [word - (1 << bits) if word >> (bits - 1) and not config.floating_point else word for word in words]


def matmul_weight_beats(config: AcceleratorConfig, m: int, weights: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the weight stream of a matmul.

    Parameters
    ----------
    config
        The configuration.
    m
        Tokens.
    weights
        Trits or words, K rows of N; see `weight_beats`.
    """
    for tile in tiles(config, m, len(weights), len(weights[0])):
        rows = [row[tile.n : tile.n + config.columns] for row in weights[tile.k : tile.k + config.lanes]]
        yield from weight_beats(config, rows)


def matmul_activation_beats(config: AcceleratorConfig, activations: Sequence[Sequence[int]], n: int) -> Iterator[int]:
    """Yield the activation stream of a matmul.

    Parameters
    ----------
    config
        The configuration.
    activations
        M rows of K.
    n
        Outputs.
    """
    for tile in tiles(config, len(activations), len(activations[0]), n):
        for row in activations[tile.m : tile.m + tile.tokens]:
            yield activation_beat(config, row[tile.k : tile.k + config.lanes])


def matmul_results(config: AcceleratorConfig, beats: Sequence[int], m: int, n: int) -> list[list[int]]:
    """Return the product that a matmul's beats of results hold, M rows of N.

    Parameters
    ----------
    config
        The configuration.
    beats
        The result stream, up to its tlast.
    m, n
        The matmul's sizes.
    """
    product: list[list[int]] = [[] for _ in range(m)]
    stream = iter(beats)
    for tile in tiles(config, m, 1, n):
        for row in product[tile.m : tile.m + tile.tokens]:
            row += result_sums(config, next(stream))[: n - tile.n]
    return product
