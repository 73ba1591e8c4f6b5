"""The arrays that run the MACs of each scheme on each platform, where a summary has several platforms."""

import pandas as pd

from bitjoule.experiments.energy.frames import Frames
from bitjoule.experiments.output.columns import ARRAY_SEPARATOR, REQUEST
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown


def arrays_table(frames: Frames) -> str:
    """Return the arrays of each platform and scheme with their shares of the MACs, over all cases and phases.

    Parameters
    ----------
    frames
        Of a run of the system accounting.

    Returns
    -------
    str
        Nothing with one platform, whose arrays the sections of the phases name.
    """
    if len(frames.platforms) < 2:
        return ""
    rows = frames.summary[(frames.summary["phase"] != REQUEST) & frames.summary["array_mac_share"].notna()]
    platforms: dict[tuple[str, str], list[str]] = {}
    for (platform, scheme), of in rows.groupby(["platform", "scheme"], sort=False, observed=True):
        platforms.setdefault((str(scheme), _shares(of)), []).append(str(platform))
    cells = [[", ".join(names), *key] for key, names in platforms.items()]
    table = markdown(["platform", "scheme", "MACs by array"], cells, [0, 1, 2])
    return "## Arrays\n\nThe least and the greatest share of a phase's MACs, over all cases.\n\n" + table


def _shares(rows: pd.DataFrame) -> str:
    """Return the arrays of some rows of a summary, each with the range of its shares."""
    shares: dict[str, list[float]] = {}
    for name, share, others in rows[["array", "array_mac_share", "other_arrays"]].itertuples(index=False):
        shares.setdefault(str(name), []).append(share)
        beside = [other for other in str(others).split(ARRAY_SEPARATOR) if other]
        for other in beside:  # of several, components.csv has the shares
            shares.setdefault(other, []).extend([1 - share] if len(beside) == 1 else [])
    texts = []
    for name, own in shares.items():
        ends = dict.fromkeys(significant(100 * end) for end in (min(own), max(own))) if own else ()
        texts.append(f"{name} {' to '.join(ends)} %" if ends else name)
    return ", ".join(texts)
