"""The energy that zero weights save, and its fraction of the ideal saving."""

import numpy as np
import pandas as pd

SWEPT = "sweep"
_KEYS = ["library", "array", SWEPT]
_SHOWN = ("zero_share", "energy_fj")


def swept(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements that differ only in their share of zeros, with a column that names each such sweep.

    Parameters
    ----------
    summary
        Of a gates experiment.
    """
    labelled = summary.assign(**{SWEPT: [text.split(",zeros:")[0].strip() for text in summary["stimulus"]]})
    points = labelled.groupby(_KEYS)["zero_share"].transform("nunique")
    return labelled[points > 1].drop_duplicates([*_KEYS, "zero_share"]).sort_values("zero_share", kind="stable")


def savings(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the saving of each sweep relative to its smallest share of zeros.

    Parameters
    ----------
    summary
        Of a gates experiment.

    Returns
    -------
    DataFrame
        A row for each point of a sweep but its first: `zero_share` and `energy_fj` (with glitches and wires) of a MAC
        there and, with ``_first``, at the first point; the fractions `saving` and `ideal`, the actual saving and the
        saving if zero weights cost nothing; their quotient, `effectiveness`.
    """
    rows = []
    for key, points in swept(summary).groupby(_KEYS, sort=False):
        first, *others = points.to_dict("records")
        for point in others:
            saving = 1 - point["energy_fj"] / first["energy_fj"]
            ideal = 1 - (1 - point["zero_share"]) / (1 - first["zero_share"])
            columns = {f"{name}{end}": row[name] for end, row in (("_first", first), ("", point)) for name in _SHOWN}
            shares = {"saving": saving, "ideal": ideal, "effectiveness": saving / ideal}
            rows.append({**dict(zip(_KEYS, key, strict=True)), **columns, **shares})
    return pd.DataFrame(rows)


def outside_sweeps(summary: pd.DataFrame) -> pd.DataFrame:
    """Compare the measurements with other operands with a sweep at the same share of zeros.

    Parameters
    ----------
    summary
        Of a gates experiment.

    Returns
    -------
    DataFrame
        A row for each measurement outside a sweep of the same array in the same cells: its `stimulus`, `zero_share`,
        `energy_fj`, and `sweep_fj`, on the straight lines between the sweep's points.
    """
    sweeps = swept(summary)
    others = summary.drop(sweeps.index)
    rows = []
    for (library, array, name), points in sweeps.groupby(_KEYS, sort=False):
        same_array = others[(others["library"] == library) & (others["array"] == array)]
        for row in same_array.to_dict("records"):
            if points["zero_share"].iloc[0] <= row["zero_share"] <= points["zero_share"].iloc[-1]:
                sweep_fj = float(np.interp(row["zero_share"], points["zero_share"], points["energy_fj"]))
                columns = {key: row[key] for key in ("stimulus", "zero_share", "energy_fj")}
                rows.append({"library": library, "array": array, SWEPT: name, **columns, "sweep_fj": sweep_fj})
    return pd.DataFrame(rows)
