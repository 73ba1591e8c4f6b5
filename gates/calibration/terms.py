"""What an array's energy is fitted to: how often each term occurs, and the energy that the terms are to add up to."""

import math
from collections.abc import Sequence

from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.prices.measured import FEATURES
from bitjoule.gates.calibration.measurement import Measurement
from bitjoule.rtl.config import AcceleratorConfig

# What the accumulators of several tokens add beside those of one: platforms price that store themselves.
TERMS = (*FEATURES, "stored")
STORING = ("accumulate", "registers")  # the parts that select a token's sum, and take it back


def weight_format(config: AcceleratorConfig) -> str:
    """Return the format of a configuration's weights, as schemes name it.

    Parameters
    ----------
    config
        The configuration.
    """
    return storages()[config.weight_encoding].holds


def activation_format(config: AcceleratorConfig) -> str:
    """Return the format of a configuration's activations, as schemes name it.

    Parameters
    ----------
    config
        The configuration.
    """
    return "fp16" if config.floating_point else f"int{config.activation_bits}"


def counts(measurement: Measurement) -> dict[str, float]:
    """Return how often each term of an array's energy occurs in a cycle.

    Parameters
    ----------
    measurement
        Of the array.
    """
    config = AcceleratorConfig.from_mapping(dict(measurement.config))
    return counts_of(config, measurement.held, measurement.zero_share)


def counts_of(config: AcceleratorConfig, held: bool, zero_share: float) -> dict[str, float]:
    """Return the same of a configuration that is not measured yet.

    Parameters
    ----------
    config
        The configuration.
    held
        Whether a weight tile serves `tokens` tokens.
    zero_share
        Of the weights.
    """
    macs = float(config.lanes * config.columns)
    zeros = zero_share if weight_format(config) == "ternary" else 0.0
    return {
        "nonzero": macs * (1.0 - zeros),
        "zero": macs * zeros,
        "load": macs / (config.tokens if held else 1),
        "column": config.columns,
        "lane": config.lanes,
        "cycle": 1.0,
        "fanout": macs * math.log2(config.columns),
        "stored": float(config.columns * config.tokens) if config.tokens > 1 else 0.0,
    }


def charged_fj(measurement: Measurement, measurements: Sequence[Measurement]) -> tuple[float, float, float]:
    """Return the low, nominal and high energy of a cycle that the terms are fitted to.

    Where several tokens' sums are stored, the selection of one of them glitches with the delay of its address, which
    follows from fanout and not from any number of MACs: up to half as much as all that does not glitch in an array of 8
    x 8. That is part of the store, which platforms price themselves; so these glitches are those of a single sum.

    Parameters
    ----------
    measurement
        Of an array.
    measurements
        Of its kind; among them that of the same size and operands for one token.
    """
    low, nominal, high = measurement.band_fj
    single = {**measurement.config, "tokens": 1}
    for other in measurements:
        same = {**other.config, "weight_bus_bits": single["weight_bus_bits"]} == single
        if measurement.held and same and other.stimulus == measurement.stimulus:
            more = sum(_glitches_fj(measurement, part) - _glitches_fj(other, part) for part in STORING)
            return low, nominal - more, high - more
    return low, nominal, high


def _glitches_fj(measurement: Measurement, part: str) -> float:
    return measurement.parts_fj.get(part, 0.0) - measurement.parts_settled_fj.get(part, 0.0)
