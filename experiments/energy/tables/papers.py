"""An experiment's first workload with the papers' accounting, and the limits of the ratios."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.schema import Baseline
from bitjoule.experiments.energy.tables.sums import summarise


def arithmetic(grid: Grid, sizes: tuple[Sequence[int], Sequence[int], Sequence[int]]) -> pd.DataFrame:
    """Return the summary of some workloads with the papers' accounting.

    Parameters
    ----------
    grid
        The cases of an experiment of any accounting.
    sizes
        Values of batch, prompt tokens and new tokens.
    """
    fixed = None if grid.fixed is None else grid.fixed.model_dump(exclude={"platform"}, exclude_none=True)
    papers = replace(
        grid, accounting=Accounting.ARITHMETIC, platforms={}, sizes=sizes,
        fixed=Baseline(**fixed) if fixed else None,
    )  # fmt: skip
    return summarise(papers).summary


def limits(grid: Grid) -> pd.DataFrame:
    """Return the limit of each scheme's ratio as the hidden size grows: the ratio of the prices of one MAC.

    Parameters
    ----------
    grid
        The cases of an experiment.

    Returns
    -------
    DataFrame
        Columns technology, scheme, ratio. Empty where the baseline fixes more than a scheme, and on a platform, where
        the traffic does not become negligible.
    """
    rows = []
    baseline = grid.fixed
    has_limit = baseline is not None and not (baseline.model or baseline.technology)
    if baseline is not None and baseline.scheme and has_limit and grid.accounting is not Accounting.SYSTEM:
        for technology in grid.technologies:
            baseline_pj = _mac_pj(grid, technology, baseline.scheme)
            rows += [(technology, scheme, baseline_pj / _mac_pj(grid, technology, scheme)) for scheme in grid.schemes]
    return pd.DataFrame(rows, columns=["technology", "scheme", "ratio"])


def _mac_pj(grid: Grid, technology: str, name: str) -> float:
    scheme = grid.schemes[name]
    operations = ("mul", "add") if scheme.multiplies else ("add",)
    prices = (
        grid.technologies[technology].term_price(operation, scheme.weights, scheme.activations)
        for operation in operations
    )
    return sum(price.nominal_pj for price in prices)
