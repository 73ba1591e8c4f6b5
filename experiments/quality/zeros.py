"""The share of zero trits over a training, and what an array of adders saves by it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bitjoule.energy_models.prices.technology import Technology
from bitjoule.sim.quality.tables import Step

ZERO_COLUMNS = (
    "experiment", "technology", "format", "seeds", "tokens", "loss_nats_per_byte", "zero_share", "zero_share_least",
    "zero_share_greatest", "entropy_bits", "mac_low_pj", "mac_pj", "mac_high_pj", "saved_share",
)  # fmt: skip


def zero_table(name: str, steps: Sequence[Step], technologies: Mapping[str, Technology]) -> pd.DataFrame:
    """Return a row for each training file and number of tokens: the mean over its seeds.

    Parameters
    ----------
    name
        Of the experiment.
    steps
        Of the history.
    technologies
        That price MACs of trits; of several such MACs the first counts, in the technology's array.

    Returns
    -------
    DataFrame
        Columns `ZERO_COLUMNS`. Entropy is that of trits of which as many are +1 as −1; `saved_share` is what the MAC
        takes less than one without zeros.
    """
    every = pd.DataFrame(steps)
    rows = []
    for technology in technologies.values():
        mac = next(each for each in technology.macs if each.weights == "ternary")
        full = mac.price(technology.lanes, technology.columns, 0.0).nominal_pj
        for (label, tokens), group in every.groupby(["format_name", "tokens"], sort=False):
            zeros = group["zero_share"]
            share = float(zeros.mean())
            price = mac.price(technology.lanes, technology.columns, share)
            rows.append((
                name, technology.name, label, len(group), tokens, group["loss"].mean(), share, zeros.min(), zeros.max(),
                entropy_bits(share), *price, 1 - price.nominal_pj / full,
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(ZERO_COLUMNS))


def entropy_bits(zero_share: float) -> float:
    """Return the entropy of a trit, as many +1 as −1.

    Parameters
    ----------
    zero_share
        Share of zeros.
    """
    shares = np.array([zero_share, (1 - zero_share) / 2, (1 - zero_share) / 2])
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())
