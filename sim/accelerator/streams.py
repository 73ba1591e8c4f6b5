"""The beats of whole matmuls as NumPy arrays: `bitjoule.rtl.packing` for many tiles at once.

A stream is an array of bytes, one row a beat, byte j of memory at index j. The codes and the orders are those of
`packing`; tests hold the two equal.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig

Bytes = NDArray[np.uint8]


def element_type(config: AcceleratorConfig) -> np.dtype[Any]:
    """Return the type of a configuration's activations, and of its weights: float16, or int8 also for trits.

    Where trits have scales, a weight is trit times scale, which float16 holds exactly.

    Parameters
    ----------
    config
        The configuration.
    """
    return np.dtype(np.float16 if config.floating_point else np.int8)


def result_type(config: AcceleratorConfig) -> np.dtype[Any]:
    """Return the type of an element of a configuration's results: float16, float32, or a signed integer.

    Parameters
    ----------
    config
        The configuration.
    """
    return np.dtype(f"<{'f' if config.floating_point else 'i'}{config.result_bits // 8}")


def weight_stream(config: AcceleratorConfig, weights: NDArray[Any], m: int = 1) -> Bytes:
    """Return the weight stream of a matmul.

    Parameters
    ----------
    config
        The configuration.
    weights
        Trits, int8 or float16, (K, N). Where trits have scales: trit times scale, float16.
    m
        Tokens: each block of `tokens` streams the weights again.

    Returns
    -------
    array of uint8
        (beats, weight_bus_bits / 8).

    Raises
    ------
    ValueError
        The encoding has no code for a value, or a column of a tile has weights of several magnitudes.
    """
    k, n = weights.shape
    if config.scaled:
        weights, scales = trits_and_scales(config, weights)
    encoding = config.encoding
    trits = encoding.trits
    groups = -(-config.columns // trits)
    k_tiles, n_tiles = -(-k // config.lanes), -(-n // config.columns)
    dtype = element_type(config) if config.multiplies else np.dtype(np.int8)
    if config.multiplies and weights.dtype != dtype:
        raise ValueError(f"weights are {weights.dtype}; {encoding.name} encodes {dtype}")
    padded = np.full((k_tiles * config.lanes, n_tiles * config.columns), encoding.padding(), dtype)
    padded[:k, :n] = weights
    tiles = padded.reshape(k_tiles, config.lanes, n_tiles, config.columns).transpose(2, 0, 1, 3)
    if config.columns % trits:
        tiles = np.pad(tiles, [(0, 0)] * 3 + [(0, -config.columns % trits)], constant_values=encoding.padding())
    if config.multiplies:
        plain = np.ascontiguousarray(tiles).reshape(-1, config.lanes * config.columns)
        if encoding.bits < 8:
            limit = 1 << (encoding.bits - 1)
            if plain.size and (plain.min() < -limit or plain.max() >= limit):
                raise ValueError(f"a weight is not -{limit} to {limit - 1}; {encoding.name} encodes no other values")
            bits = _bits(plain.view(np.uint8), encoding.bits).reshape(len(plain), -1)
            return _beats_of_tiles(config, np.packbits(bits, axis=1, bitorder="little"), m)
        return _beats_of_tiles(config, plain.astype(dtype.newbyteorder("<")).view(np.uint8), m)
    words = tiles.reshape(-1, config.lanes, groups, trits)
    if words.size and (words.min() < -1 or words.max() > 1):
        raise ValueError("a weight is not -1, 0 or +1")
    index = (words + 1).astype(np.uint8) @ (3 ** np.arange(trits, dtype=np.uint8))
    codes = code_table(config)[index]
    if (codes > 255).any():
        raise ValueError(f"{encoding.name} cannot encode a zero")
    bits = _bits(codes.astype(np.uint8), encoding.bits).reshape(len(words), -1)
    tile_bytes = np.packbits(bits, axis=1, bitorder="little")
    if config.scaled:
        all_columns = np.zeros((k_tiles, n_tiles * config.columns), "<f2")
        all_columns[:, :n] = scales
        in_order = np.ascontiguousarray(all_columns.reshape(k_tiles, n_tiles, config.columns).swapaxes(0, 1))
        tile_bytes = np.concatenate([tile_bytes, in_order.reshape(len(tile_bytes), -1).view(np.uint8)], axis=1)
    return _beats_of_tiles(config, tile_bytes, m)


def trits_and_scales(
    config: AcceleratorConfig, weights: NDArray[np.float16]
) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return the trits (K, N) and, for each tile of K, the scales (tiles, N) whose products are given weights.

    A scale is a magnitude, zero where all weights are. Without a code for zero, -0 is -1 times 0.

    Parameters
    ----------
    config
        The lanes of a tile, and whether the encoding has a zero.
    weights
        float16, (K, N).

    Raises
    ------
    ValueError
        They are not float16, or a column of a tile has weights of several magnitudes.
    """
    if weights.dtype != np.float16:
        raise ValueError(f"weights are {weights.dtype}; {config.encoding.name} with scales encodes float16")
    bits = np.ascontiguousarray(weights).view(np.uint16)
    magnitudes = bits & 0x7FFF
    scales = np.maximum.reduceat(magnitudes, np.arange(0, len(bits), config.lanes), axis=0)
    zero = (magnitudes == 0) & config.encoding.zero
    wrong = np.argwhere(~zero & (magnitudes != np.repeat(scales, config.lanes, axis=0)[: len(bits)]))
    if len(wrong):
        row, column = wrong[0].tolist()
        first = row - row % config.lanes
        raise ValueError(
            f"column {column} has weights of several magnitudes in rows {first} to "
            f"{min(first + config.lanes, len(bits)) - 1}, a tile; expected one scale"
        )
    trits = np.where(zero, np.int8(0), np.where(bits >> 15, np.int8(-1), np.int8(1)))
    return trits, scales.view(np.float16)


def _beats_of_tiles(config: AcceleratorConfig, tile_bytes: Bytes, m: int) -> Bytes:
    bus_bytes = config.weight_bus_bits // 8
    if config.tile_beats == 1:
        tile_bytes = np.pad(tile_bytes, ((0, 0), (0, bus_bytes - tile_bytes.shape[1])))
    return np.tile(tile_bytes.reshape(-1, bus_bytes), (-(-m // config.tokens), 1))


def code_table(config: AcceleratorConfig) -> NDArray[np.uint16]:
    """Return the code word by its trits' digits to base three; 256 where there is none.

    Parameters
    ----------
    config
        The configuration.
    """
    encoding = config.encoding
    table = np.full(3**encoding.trits, 256, np.uint16)
    for trits, code in encoding.encoded.items():
        table[sum((trit + 1) * 3**i for i, trit in enumerate(trits))] = code
    return table


def _bits(values: Bytes, count: int) -> Bytes:
    return np.unpackbits(values[..., np.newaxis], axis=-1, count=count, bitorder="little")


def activation_stream(config: AcceleratorConfig, activations: NDArray[Any], n: int) -> Bytes:
    """Return the activation stream of a matmul.

    Parameters
    ----------
    config
        The configuration.
    activations
        Integers or, for ``fp16``, floats, (M, K).
    n
        Outputs: each tile of `columns` streams the activations again.

    Returns
    -------
    array of uint8
        (beats, activation_bus_bits / 8).
    """
    m, k = activations.shape
    k_tiles, n_tiles = -(-k // config.lanes), -(-n // config.columns)
    padded = np.zeros((m, k_tiles * config.lanes), element_type(config).newbyteorder("<"))
    padded[:, :k] = activations
    blocks = []
    for first in range(0, m, config.tokens):
        block = padded[first : first + config.tokens].reshape(-1, k_tiles, config.lanes).transpose(1, 0, 2)
        lanes = block.reshape(-1, config.lanes).view(np.uint8)
        if config.activation_bits < 8:
            lanes = np.packbits(_bits(lanes, config.activation_bits).reshape(len(lanes), -1), axis=1, bitorder="little")
        blocks.append(np.tile(lanes, (n_tiles, 1)))
    return np.concatenate(blocks)


def product_of_results(config: AcceleratorConfig, beats: Bytes, m: int, n: int) -> NDArray[Any]:
    """Return the product that a matmul's result stream holds.

    Parameters
    ----------
    config
        The configuration.
    beats
        (beats, result_bus_bits / 8).
    m, n
        The matmul's sizes.

    Returns
    -------
    array
        (M, N): int32, or float16 or float32 as accumulated.
    """
    element = result_type(config)
    sums = np.ascontiguousarray(beats).view(element)
    n_tiles = -(-n // config.columns)
    rows = []
    for first in range(0, m, config.tokens):
        tokens = min(config.tokens, m - first)
        block = sums[first * n_tiles : (first + tokens) * n_tiles].reshape(n_tiles, tokens, config.columns)
        rows.append(block.transpose(1, 0, 2).reshape(tokens, -1)[:, :n])
    return np.concatenate(rows).astype(element.newbyteorder("=") if config.floating_point else np.int32)


def beats_as_integers(beats: Bytes) -> list[int]:
    """Return each beat as one integer, the way buses are driven.

    Parameters
    ----------
    beats
        (beats, bytes).
    """
    width = beats.shape[1]
    raw = beats.tobytes()
    return [int.from_bytes(raw[i : i + width], "little") for i in range(0, len(raw), width)]


def result_beats(config: AcceleratorConfig, m: int, n: int) -> int:
    """Return the beats of a matmul's results.

    Parameters
    ----------
    config
        The configuration.
    m, n
        The matmul's sizes.
    """
    return m * math.ceil(n / config.columns)
