"""Texts that name a stimulus's operands.

``gaussian:32``, ``gaussian:32,zeros:0.45``, ``uniform,zeros:0.3``, ``worst``, ``model:tiny-b158``.
"""

import math

import numpy as np

from bitjoule.gates.stimuli.operands import Gaussian, Operands, StimulusError, Uniform, Worst
from bitjoule.rtl.config import AcceleratorConfig

KINDS = "gaussian:SIGMA, uniform, worst or model:NAME|PATH"


def parse_operands(text: str) -> Operands:
    """Return the operands that a text names.

    Parameters
    ----------
    text
        ``gaussian:SIGMA`` or ``uniform``, each with or without ``,zeros:SHARE``; ``worst``; ``model:NAME``
        or ``model:PATH``.

    Raises
    ------
    StimulusError
        It names none: says what was found and what was expected.
    """
    first, *options = (part.strip() for part in text.split(","))
    kind, colon, value = first.partition(":")
    if kind == "model" and colon and not options:
        # Loading a model takes the simulator's packages; other operands do not need them.
        from bitjoule.gates.stimuli.recorded import recorded_operands

        return recorded_operands(value)
    if first == "worst" and not options:
        return Worst()
    zero_share = _zero_share(text, options)
    if first == "uniform":
        return Uniform(zero_share)
    if kind == "gaussian" and colon:
        sigma = _number(text, "SIGMA", value)
        if not 0 < sigma < math.inf:
            raise StimulusError(f"stimulus {text!r}: SIGMA is {value}; expected a finite number above 0")
        return Gaussian(sigma, zero_share)
    raise StimulusError(f"stimulus {text!r}: unknown operands {first!r}; expected {KINDS}")


def check_operands(text: str, config: AcceleratorConfig) -> None:
    """Refuse operands that a configuration cannot take, before its netlist is made.

    Parameters
    ----------
    text
        As of `parse_operands`.
    config
        The configuration.

    Raises
    ------
    StimulusError
        The text names no operands, or none of this configuration, or no K of the configuration fills its lanes.
    """
    if config.max_k < config.lanes:
        raise StimulusError(
            f"stimulus {text!r}: an array with max_k ({config.max_k}) below its lanes ({config.lanes}) cannot take it; "
            f"expected max_k of at least {config.lanes}"
        )
    parse_operands(text).source(config, 1, 1, np.random.default_rng(0))


def _zero_share(text: str, options: list[str]) -> float | None:
    if not options:
        return None
    key, _, value = options[0].partition(":")
    if key != "zeros" or len(options) > 1 or text.startswith(("worst", "model:")):
        wrong = options[1] if key == "zeros" and len(options) > 1 else options[0]
        raise StimulusError(
            f"stimulus {text!r}: invalid option {wrong!r}; expected {KINDS}, "
            "the first two optionally followed by ,zeros:SHARE"
        )
    share = _number(text, "SHARE", value)
    if not 0 <= share <= 1:
        raise StimulusError(f"stimulus {text!r}: SHARE is {value}; expected a number from 0 to 1")
    return share


def _number(text: str, name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise StimulusError(f"stimulus {text!r}: {name} is {value!r}; expected a number") from None
