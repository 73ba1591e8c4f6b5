"""What zeros among the weights save, and which fraction of the ideal saving that is."""

import numpy as np
import pandas as pd

SWEPT = "sweep"
_KEYS = ["library", "array", SWEPT]
_SHOWN = ("zero_share", "energy_fj")


def swept(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements that differ in their share of zeros alone, with a column that names each such sweep.

    Parameters
    ----------
    summary
        Of a gates experiment.
    """
    named = summary.assign(**{SWEPT: [text.split(",zeros:")[0].strip() for text in summary["stimulus"]]})
    points = named.groupby(_KEYS)["zero_share"].transform("nunique")
    return named[points > 1].drop_duplicates([*_KEYS, "zero_share"]).sort_values("zero_share", kind="stable")


def savings(summary: pd.DataFrame) -> pd.DataFrame:
    """Return what each sweep saves over its fewest zeros.

    Parameters
    ----------
    summary
        Of a gates experiment.

    Returns
    -------
    DataFrame
        A row for each point of a sweep but its first: `zero_share` and `energy_fj` (with glitches and wires) of a MAC
        there and, with ``_first``, where the sweep begins; the fractions `saving` and `ideal`, what is saved and
        what would be if zero weights cost nothing; their quotient, `effectiveness`.
    """
    rows = []
    for key, points in swept(summary).groupby(_KEYS, sort=False):
        first, *others = points.to_dict("records")
        for point in others:
            saving = 1 - point["energy_fj"] / first["energy_fj"]
            ideal = 1 - (1 - point["zero_share"]) / (1 - first["zero_share"])
            kept = {f"{name}{end}": one[name] for end, one in (("_first", first), ("", point)) for name in _SHOWN}
            shares = {"saving": saving, "ideal": ideal, "effectiveness": saving / ideal}
            rows.append({**dict(zip(_KEYS, key, strict=True)), **kept, **shares})
    return pd.DataFrame(rows)


def beside_sweeps(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements with other operands beside what a sweep takes at the same share of zeros.

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
        own = others[(others["library"] == library) & (others["array"] == array)]
        for one in own.to_dict("records"):
            if points["zero_share"].iloc[0] <= one["zero_share"] <= points["zero_share"].iloc[-1]:
                at_same = float(np.interp(one["zero_share"], points["zero_share"], points["energy_fj"]))
                kept = {key: one[key] for key in ("stimulus", "zero_share", "energy_fj")}
                rows.append({"library": library, "array": array, SWEPT: name, **kept, "sweep_fj": at_same})
    return pd.DataFrame(rows)
