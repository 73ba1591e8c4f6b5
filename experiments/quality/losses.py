"""Mean losses of trained models, their intervals, and their gaps to a baseline."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bitjoule.sim.quality.tables import Model

CONFIDENCE = 0.95
PLACE = ("experiment", "rung", "format", "trained")
LOSS_COLUMNS = (
    *PLACE, "parameters", "learning_rate", "seeds", "diverged", "loss_nats_per_byte", "loss_least_nats_per_byte",
    "loss_greatest_nats_per_byte", "loss_low_nats_per_byte", "loss_high_nats_per_byte", "gap_nats_per_byte",
    "gap_low_nats_per_byte", "gap_high_nats_per_byte", "zero_share",
)  # fmt: skip


def loss_table(name: str, models: Sequence[Model], baseline: str) -> pd.DataFrame:
    """Return a row for each size and format or method.

    Intervals are of 95 %, of the mean over the seeds. The scatter of the seeds is that of all trained formats of a size
    together, since two or three seeds of one format say little; losses of methods take it, too.

    Parameters
    ----------
    name
        Of the experiment.
    models
        Trained, and quantised after their training.
    baseline
        Format of the gaps, at the same size.

    Returns
    -------
    DataFrame
        Columns `LOSS_COLUMNS`; without an interval (one seed) its ends are NaN.
    """
    every = pd.DataFrame(models)
    by_rung: dict[Any, tuple[float, int]] = {
        rung: _scatter(group) for rung, group in every[every["trained"]].groupby("rung", sort=False)
    }
    rows = []
    for (rung, trained, label), group in every.groupby(["rung", "trained", "format_name"], sort=False):
        deviation, freedom = by_rung.get(rung, (math.nan, 0))
        losses = group["loss"].dropna()
        reach = _reach(deviation, freedom, 1 / len(losses)) if len(losses) else math.nan
        of_base = every[(every["rung"] == rung) & every["trained"] & (every["format_name"] == baseline)][
            "loss"
        ].dropna()
        mean, gap, gap_reach = losses.mean(), math.nan, math.nan
        if label != baseline and len(of_base) and len(losses):
            gap = mean - of_base.mean()
            gap_reach = _reach(deviation, freedom, 1 / len(losses) + 1 / len(of_base))
        rows.append((
            name, rung, label, trained, int(group["parameters"].iloc[0]), group["learning_rate"].iloc[0], len(group),
            int(group["loss"].isna().sum()), mean, losses.min(), losses.max(), mean - reach, mean + reach, gap,
            gap - gap_reach, gap + gap_reach, group["zero_share"].mean(),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(LOSS_COLUMNS))


def _scatter(group: pd.DataFrame) -> tuple[float, int]:
    """Return the standard deviation of a training's loss about the mean of its format, and the degrees of freedom."""
    finite = group.dropna(subset=["loss"])
    by_format = finite.groupby("format_name")["loss"]
    freedom = len(finite) - by_format.ngroups
    if freedom < 1:
        return math.nan, 0
    rest = finite["loss"] - by_format.transform("mean")
    return float(np.sqrt((rest**2).sum() / freedom)), freedom


def _reach(deviation: float, freedom: int, variance_share: float) -> float:
    if freedom < 1:
        return math.nan
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * deviation * math.sqrt(variance_share)
