"""An experiment's first workload as the papers count it, and what their ratios tend to."""

from dataclasses import replace

import pandas as pd

from bitjoule.energy_models.arithmetic import Accounting
from bitjoule.experiments.grid import Grid
from bitjoule.experiments.reader import Resolved
from bitjoule.experiments.schema import Baseline, Workload, swept
from bitjoule.experiments.sums import summarise
from bitjoule.experiments.table_columns import WORKLOAD_AXES


def arithmetic(resolved: Resolved) -> pd.DataFrame:
    """Return the summary of the first workload with the papers' accounting.

    Parameters
    ----------
    resolved
        An experiment of any accounting.
    """
    experiment = resolved.experiment
    workload, baseline = experiment.workload, experiment.baseline
    if workload is not None:
        workload = Workload(**{axis: swept(getattr(workload, axis))[0] for axis in WORKLOAD_AXES})
    fixed = {} if baseline is None else baseline.model_dump(exclude={"platform"}, exclude_none=True)
    update: dict[str, object] = {
        "accounting": Accounting.ARITHMETIC,
        "platforms": None,
        "plots": [],
        "published": None,
        "workload": workload,
        "baseline": Baseline(**fixed) if fixed else None,
    }
    papers = replace(resolved, experiment=experiment.model_copy(update=update), platforms={}, printed=())
    return summarise(Grid(papers)).summary


def limits(resolved: Resolved) -> pd.DataFrame:
    """Return what each scheme tends to as the hidden size grows: the ratio of the prices of one MAC.

    Parameters
    ----------
    resolved
        An experiment.

    Returns
    -------
    DataFrame
        Columns technology, scheme, ratio. Empty where the baseline fixes more than a scheme, and on a platform: traffic
        does not vanish beside the MACs.
    """
    rows = []
    baseline = resolved.experiment.baseline
    tends = baseline is not None and not (baseline.model or baseline.technology)
    if baseline is not None and baseline.scheme and tends and resolved.experiment.accounting is not Accounting.SYSTEM:
        for technology in resolved.technologies:
            of_baseline = _mac_pj(resolved, technology, baseline.scheme)
            rows += [
                (technology, scheme, of_baseline / _mac_pj(resolved, technology, scheme)) for scheme in resolved.schemes
            ]
    return pd.DataFrame(rows, columns=["technology", "scheme", "ratio"])


def _mac_pj(resolved: Resolved, technology: str, name: str) -> float:
    scheme = resolved.schemes[name]
    operations = ("mul", "add") if scheme.multiplies else ("add",)
    prices = (
        resolved.technologies[technology].term_price(operation, scheme.weights, scheme.activations)
        for operation in operations
    )
    return sum(price.nominal_pj for price in prices)
