"""Rotary positions: the frequencies that a model's config.json asks for, and the angles of some positions.

The scalings are those of transformers 5 (`modeling_rope_utils`), in float32 as there.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import brief, choices
from bitjoule.sim.llm.config_values import config_error, mapping, positive
from bitjoule.sim.reference.checks import Float32s

KINDS = ("default", "linear", "llama3")
_KEYS = frozenset({
    "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "low_freq_factor", "high_freq_factor",
    "original_max_position_embeddings",
})  # fmt: skip


@dataclass(frozen=True)
class Bands:
    """Where Llama 3.1 scales frequencies, by how often a wave fits in the original context.

    Parameters
    ----------
    low, high
        Waves that fit fewer than `low` times are slowed by the whole factor, those that fit more than `high` times not
        at all; between the two, by a mean of both.
    original_positions
        Context length of the pretraining.
    """

    low: float
    high: float
    original_positions: float


@dataclass(frozen=True)
class Rope:
    """Rotary positions of a model.

    Parameters
    ----------
    theta
        Base of the frequencies.
    factor
        By which they are divided.
    bands
        Which of them; default: all.
    divisors
        Of each frequency, as GGUF files have them; default: 1.
    """

    theta: float
    factor: float = 1.0
    bands: Bands | None = None
    divisors: tuple[float, ...] = ()

    def frequencies(self, head_dim: int) -> Float32s:
        """Return angles per position: float32, shape (head_dim / 2,).

        Parameters
        ----------
        head_dim
            Even.
        """
        exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
        # NumPy's float32 power is off by a last place more often than torch's, which the scores of wide heads show
        powers = (np.float64(self.theta) ** exponents.astype(np.float64)).astype(np.float32)
        frequencies: Float32s = np.float32(1) / powers
        factor = np.float32(self.factor)
        if self.bands is None:
            divisors = np.array(self.divisors, np.float32) if self.divisors else np.float32(1)
            return frequencies / factor / divisors
        waves = np.float32(self.bands.original_positions) / (np.float32(2 * math.pi) / frequencies)
        kept = (waves - np.float32(self.bands.low)) / np.float32(self.bands.high - self.bands.low)
        mixed = (1 - kept) * frequencies / factor + kept * frequencies
        return np.where(
            waves < self.bands.low, frequencies / factor, np.where(waves > self.bands.high, frequencies, mixed)
        )


def rotary(positions: int, start: int, frequencies: Float32s) -> tuple[Float32s, Float32s]:
    """Return cosines and sines of the rotary angles: float32, shape (positions, head_dim) each.

    Parameters
    ----------
    positions, start
        How many, and the first one.
    frequencies
        As `Rope.frequencies` returns them.
    """
    angles = np.arange(start, start + positions, dtype=np.float32)[:, np.newaxis] * frequencies
    angles = np.concatenate([angles, angles], axis=-1)
    return np.cos(angles), np.sin(angles)


def read_rope(document: Document, config: Mapping[str, Any], default_theta: float) -> Rope:
    """Return the rotary positions of a config.json.

    Parameters
    ----------
    document, config
        The file, and its keys: ``rope_parameters`` as transformers 5 writes it, or ``rope_scaling`` and
        ``rope_theta`` as before.
    default_theta
        Of the model's type.

    Raises
    ------
    InputError
        A scaling that is not known, contradictory, or without one of its numbers.
    """
    theta = positive(document, config, "rope_theta", default_theta)
    rope = Rope(theta)
    written = {key: mapping(document, config, key) for key in ("rope_parameters", "rope_scaling")}
    if all(written.values()) and written["rope_parameters"] != written["rope_scaling"]:
        raise config_error(document, "rope_scaling", "differs from rope_parameters", "one of the two")
    for key, values in written.items():
        unknown = next((name for name in values if name not in _KEYS), None)
        if unknown is not None:
            raise config_error(document, key, f"has the key {unknown!r}", choices(sorted(_KEYS)))
        if values.get("partial_rotary_factor", 1) != 1:
            raise config_error(document, key, "rotates only part of each head", "partial_rotary_factor 1")
        theta = positive(document, values, "rope_theta", theta, key)
        kind = values.get("rope_type", values.get("type", "default"))
        if kind not in KINDS:
            raise config_error(document, key, f"rope_type is {brief(kind)}", choices(KINDS))
        rope = Rope(theta, rope.factor, rope.bands)
        if kind != "default":
            rope = Rope(theta, positive(document, values, "factor", None, key))
        if kind == "llama3":
            rope = Rope(theta, rope.factor, _bands(document, config, values, key))
    return rope


def _bands(document: Document, config: Mapping[str, Any], values: Mapping[str, Any], key: str) -> Bands:
    low = positive(document, values, "low_freq_factor", None, key)
    high = positive(document, values, "high_freq_factor", None, key)
    if low >= high:
        raise config_error(document, key, f"low_freq_factor is {brief(low)}", f"less than high_freq_factor, {high:g}")
    name = "original_max_position_embeddings"
    outer = [config[other] for other in (name, "max_position_embeddings") if config.get(other) is not None]
    if config.get(name) is not None and values.get(name) not in (None, config[name]):
        raise config_error(document, key, f"{name} is {brief(values[name])}", f"{brief(outer[0])}, as outside of {key}")
    original = {name: values.get(name) if values.get(name) is not None else next(iter(outer), None)}
    return Bands(low, high, positive(document, original, name, None, key))
