"""The prices that a result paid, each with its source."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.inputs.sources import DATA, references
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.output.columns import ENERGY_COLUMNS, PJ_PER_J
from bitjoule.experiments.results.folders import ResultFolder

TABLE, KEY, COUNT = "results", "price", "count"
OWN = "of the experiment or a file of its own"
COLUMNS = (
    "price", "paid_pj", "paid_low_pj", "paid_high_pj", "unit", "count", "energy_j", "energy_share", "source", "where",
    "read_from", "derived", "remark",
)  # fmt: skip
TECHNOLOGY_COLUMNS = (
    "technology",
    "operation",
    "format",
    "energy_pj",
    "energy_low_pj",
    "energy_high_pj",
    "source",
    "where",
)
TOLERANCE = 1e-9  # relative; below this a quotient of sums and the price itself are the same


def paid_prices(result: ResultFolder) -> pd.DataFrame:
    """Return the prices that a result paid, the dearest in total first.

    A price is the energy over the count of its rows, as the run paid it. Source and place are those of the installed
    data; `remark` says where these data give another price today, or have changed.

    Parameters
    ----------
    result
        An output directory. Without a table of actions there are no rows.
    """
    sums = price_sums(result)
    if sums.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    total_pj = float(sums[ENERGY_COLUMNS[0]].sum())
    changed = changed_data(result)
    rows = []
    for key, row in sums.sort_values(ENERGY_COLUMNS[0], ascending=False, kind="stable").iterrows():
        paid = [row[column] / row[COUNT] if row[COUNT] else float("nan") for column in ENERGY_COLUMNS]
        nominal_pj = row[ENERGY_COLUMNS[0]]
        share = nominal_pj / total_pj if total_pj else float("nan")
        rows.append((key, *paid, row[COUNT], nominal_pj / PJ_PER_J, share, *_source(str(key), paid, changed)))
    order = ("price", "paid_pj", "paid_low_pj", "paid_high_pj", "count", "energy_j", "energy_share")
    frame = pd.DataFrame(rows, columns=[*order, "unit", "source", "where", "read_from", "derived", "remark"])
    return frame[list(COLUMNS)]


def price_sums(result: ResultFolder, where: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return count and energies of each price key.

    Parameters
    ----------
    result
        An output directory.
    where
        Values of columns of the cases that count; by default all do.

    Returns
    -------
    DataFrame
        Sums over all cases, with the price keys as index; empty without a table of actions.
    """
    columns = [KEY, COUNT, *ENERGY_COLUMNS]
    stored = result.columns(TABLE)
    if not set(columns) <= set(stored):
        return pd.DataFrame(columns=columns[1:])
    conditions = {key: value for key, value in (where or {}).items() if key in stored}
    frame = result.frame(TABLE, [*columns, *conditions])
    for key, value in conditions.items():
        frame = frame[frame[key].astype(str) == value]
    return frame.groupby(frame[KEY].astype(str), sort=False, observed=True)[columns[1:]].sum()


def technology_prices(result: ResultFolder) -> pd.DataFrame:
    """Return the prices of operations in the built-in technologies that a result names.

    For results that do not list what they paid.

    Parameters
    ----------
    result
        An output directory.
    """
    asked = [result.experiment.get(key) for key in ("technologies", "technology", "compare")]
    known = technologies()
    names = [name for name in dict.fromkeys(_names(asked)) if name in known]
    rows = [
        (name, row.operation, row.format, row.energy.nominal_pj, row.energy.low_pj, row.energy.high_pj, row.source,
         row.where)
        for name in names for row in known[name].rows.values()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(TECHNOLOGY_COLUMNS))


def _names(value: object) -> Iterator[str]:
    """Yield the texts in nested lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)


def changed_data(result: ResultFolder) -> set[str]:
    """Return the data files that have changed since a run, relative to the data.

    Parameters
    ----------
    result
        An output directory.
    """
    recorded: dict[str, Any] = result.manifest.get("data", {})
    return {name for name, digest in recorded.items() if not _same(name, digest)}


def cited(prices: pd.DataFrame) -> list[str]:
    """Return the references of prices, each once.

    Parameters
    ----------
    prices
        From `paid_prices`.
    """
    return [line for line in references(prices["source"].astype(str)) if line != OWN]


def _same(name: str, digest: object) -> bool:
    path = DATA / name
    return path.is_file() and fingerprint(path) == digest


def _source(key: str, paid: list[float], changed: set[str]) -> tuple[str, str, str, str, str, str]:
    """Return unit, source, place in it, place in the data, derivation and a remark."""
    try:
        row = price_row(key)
    except InputError:
        return "", OWN, "", "", "", ""
    low_pj, nominal_pj, high_pj = row.price
    differs = any(
        abs(now - then) > TOLERANCE * max(abs(now), abs(then))
        for now, then in zip((nominal_pj, low_pj, high_pj), paid, strict=True)
    )
    remark = f"now {nominal_pj:.4g} pJ" if differs else ""
    if differs and key.partition(":")[0] in changed:
        remark += "; the data file has changed since the run"
    return row.unit, row.source, row.where, ", ".join(row.places), row.derived, remark
