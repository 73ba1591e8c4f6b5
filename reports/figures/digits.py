"""Numbers as a person reads them: few digits, a unit with a prefix."""

import math
import re
import statistics
from collections.abc import Sequence

PREFIXES = (
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
    (1e-15, "f"),
)
WIDE = 1e4  # beyond this quotient of largest and smallest value the middle one chooses the prefix
LONG_CLOCK = re.compile(r"(?<=@)\d+\.\d{4,}")
PARAMETER_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def significant(value: float, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, an exponent only below 1e-4 and from 1e9; nothing for NaN.

    Parameters
    ----------
    value
        The number.
    digits
        Significant digits; those before the point are always all written.
    """
    if math.isnan(value):
        return ""
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    rounded = float(f"{value:.{digits - 1}e}")
    if not 1e-4 <= abs(rounded) < 1e9:
        mantissa, _, exponent = f"{rounded:.{digits - 1}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:.{max(decimals, 0)}f}"


def short_price(name: str) -> str:
    """Return the name of a price with four digits of the clock at which it is paid.

    Parameters
    ----------
    name
        As a run writes it, e.g. ``platforms/fp16-edge.yaml:static.host@242.743781511MHz``; any other text stays.
    """
    return LONG_CLOCK.sub(lambda number: significant(float(number[0]), 4), name)


def prefix(largest: float) -> tuple[float, str]:
    """Return the factor and prefix that bring a column's largest value to 1 .. 1000.

    Parameters
    ----------
    largest
        The largest value, in the unit without prefix.
    """
    for factor, name in PREFIXES:
        if abs(largest) >= factor:
            return factor, name
    return PREFIXES[-1]


def column_prefix(values: Sequence[float]) -> tuple[float, str]:
    """Return the factor and prefix of a column: for its largest value, or for the middle one where they differ much.

    Parameters
    ----------
    values
        The column, in the unit without prefix; positive.
    """
    largest, least = max(values), min(values)
    return prefix(largest if largest < WIDE * least else statistics.median(values))


def with_unit(value: float, unit: str, digits: int = 3) -> str:
    """Return a value with its unit and prefix, e.g. ``57.9 mJ``.

    Parameters
    ----------
    value
        In `unit`.
    unit
        Without prefix.
    digits
        Significant digits.
    """
    factor, name = prefix(float(f"{value:.{digits - 1}e}"))
    return f"{significant(value / factor, digits)} {name}{unit}"


def parameters(count: float, digits: int = 3) -> str:
    """Return a number of parameters as the field writes it: ``6.51B``.

    Parameters
    ----------
    count
        Parameters.
    digits
        Significant digits.
    """
    for factor, suffix in PARAMETER_SUFFIXES:
        if count >= factor * 0.9995:
            return f"{significant(count / factor, digits)}{suffix}"
    return f"{count:g}"
