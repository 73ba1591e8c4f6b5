"""The family of number formats that each scheme belongs to, and which of its variants it is."""

from collections.abc import Iterable, Mapping

import pandas as pd

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.formats.schemes import Scheme, schemes

MAIN = ("fp16", "int8", "bitnet-b1.58", "bitnet")  # the first variant of its family each


def families(used: Mapping[str, Scheme]) -> pd.DataFrame:
    """Return the kind of each scheme's weights, and its number among all schemes of that kind.

    Built-in schemes have the same number in every experiment, so that pictures can draw them alike.

    Parameters
    ----------
    used
        The schemes of an experiment, by name.

    Returns
    -------
    DataFrame
        Index scheme; columns kind (of `energy_models.formats.formats.NumberFormat`) and variant, from 0.
    """
    every = dict.fromkeys([*MAIN, *schemes(), *used])
    numbers: dict[str, int] = {}
    variants = {}
    for name in every:
        kind = formats()[(used.get(name) or schemes()[name]).weights].kind
        variants[name] = (kind, numbers.setdefault(kind, 0))
        numbers[kind] += 1
    rows: Iterable[tuple[str, str, int]] = ((name, *variants[name]) for name in used)
    return pd.DataFrame(rows, columns=["scheme", "kind", "variant"]).set_index("scheme")
