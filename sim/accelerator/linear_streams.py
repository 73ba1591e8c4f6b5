"""The beats of whole BitLinears as NumPy arrays: those of `bitjoule.rtl.linear.bitlinear`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.streams import Bytes
from bitjoule.sim.reference.float_formats import FloatFormat, from_bits, to_bits

Floats = NDArray[np.floating[Any]]
_COMMAND_BITS = 64


def linear_command(m: int, k: int, n: int, scale: np.float32, epsilon: np.float32 | None = None) -> int:
    """Return a command as one integer.

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features.
    scale
        Of the weights.
    epsilon
        Of the norm, if there is one.
    """
    words = [int(np.float32(value).view(np.uint32)) for value in (scale, epsilon) if value is not None]
    return command_beat(m, k, n) | sum(word << (_COMMAND_BITS + 32 * i) for i, word in enumerate(words))


def value_stream(config: LinearConfig, values: Floats) -> Bytes:
    """Return activations or gains as they are streamed: row after row, each in whole beats.

    Parameters
    ----------
    config
        The configuration.
    values
        (M, K), of the format's type.

    Returns
    -------
    array of uint8
        (M * ceil(K / lanes), bus_bits / 8).
    """
    bits = to_bits(values, _form(config))
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % config.lanes)))
    little = np.ascontiguousarray(padded.astype(bits.dtype.newbyteorder("<")))
    return little.view(np.uint8).reshape(-1, config.bus_bits // 8)


def outputs_of(config: LinearConfig, beats: Bytes, m: int, n: int) -> Floats:
    """Return the outputs that a command's result stream holds.

    Parameters
    ----------
    config
        The configuration.
    beats
        (beats, bus_bits / 8).
    m, n
        The BitLinear's sizes.

    Returns
    -------
    array
        (M, N), of the format's type.
    """
    columns, tokens = config.array.columns, config.array.tokens
    words = np.ascontiguousarray(beats).view(f"<u{config.form.bits // 8}")
    a_tile = words.reshape(-1, config.result_beats * config.lanes)[:, :columns]
    n_tiles = -(-n // columns)
    rows = []
    for first in range(0, m, tokens):
        count = min(tokens, m - first)
        block = a_tile[first * n_tiles : (first + count) * n_tiles].reshape(n_tiles, count, columns)
        rows.append(block.transpose(1, 0, 2).reshape(count, -1)[:, :n])
    return from_bits(np.concatenate(rows), _form(config))


def output_beats(config: LinearConfig, m: int, n: int) -> int:
    """Return the beats of a command's outputs.

    Parameters
    ----------
    config
        The configuration.
    m, n
        The BitLinear's sizes.
    """
    return m * -(-n // config.array.columns) * config.result_beats


def _form(config: LinearConfig) -> FloatFormat:
    return config.format  # type: ignore[return-value]  # checked by the configuration
