"""What a result assumes beside its prices, and how its schemes are drawn."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bitjoule.energy_models.formats.formats import factors, formats
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.experiments.results.folders import ResultFolder

SYSTEM = "system"
COLUMNS = ("assumption", "low", "high", "reason", "source")


def assumed(result: ResultFolder) -> pd.DataFrame:
    """Return the assumptions that `sensitivity: true` varies, with their alternatives, reasons and sources.

    Parameters
    ----------
    result
        An output directory. The papers' accountings have no machine, and other kinds no such assumptions: no rows.
    """
    if result.experiment.get("accounting") != SYSTEM:
        return pd.DataFrame(columns=list(COLUMNS))
    from bitjoule.experiments.energy.uncertainty.assumptions import assumptions

    rows = [
        (name, str(assumption.low), str(assumption.high), " ".join(assumption.reason.split()), assumption.source)
        for name, assumption in assumptions().items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def scheme_kinds(experiment: Mapping[str, Any]) -> dict[str, str]:
    """Return the kind of the weights' format of each scheme that a run names: float, integer, ternary or binary.

    Parameters
    ----------
    experiment
        Contents of its experiment.yaml; names that are no schemes are left out.
    """
    listed = [entry for key in ("schemes", "formats") for entry in _list(experiment.get(key))]
    kinds: dict[str, str] = {}
    for entry in (*listed, *schemes()):
        name, weights = _weights(entry)
        try:
            kinds.setdefault(name, formats()[factors(weights.split()[0])[0]].kind)
        except (KeyError, IndexError):
            continue
    return kinds


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _weights(entry: object) -> tuple[str, str]:
    if isinstance(entry, Mapping):
        return str(entry.get("name", "")), str(entry.get("weights", ""))
    name = str(entry)
    return name, str(schemes()[name].weights) if name in schemes() else ""
