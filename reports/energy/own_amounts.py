"""The amounts of the user's own platforms, as a table of the summary."""

from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.figures.markdown import cut, markdown


def own_amounts_text(frames: Frames, max_rows: int) -> str:
    """Return a table of each platform that is not built in; nothing without any.

    Parameters
    ----------
    frames
        Of a run.
    max_rows
        Rows shown of each table.
    """
    parts = []
    for name, amounts in frames.own_amounts.groupby("platform", sort=False):
        rows = []
        for row in amounts.iloc[:max_rows].to_dict("records"):
            band = [f"{row[end]:.10g}" for end in ("low", "high")]
            band = ["", ""] if row["low"] == row["high"] else band
            rows.append([row["key"], f"{row['value']:.10g}", *band, row["unit"], row["source"].replace("|", "\\|")])
        table = markdown(["key", "value", "low", "high", "unit", "source"], rows, [0, 4, 5])
        table += cut(len(amounts), max_rows, "experiment.yaml")
        parts.append(f"## Amounts of {name}\n\nWhat this platform, which is not built in, states.\n\n{table}")
    return "\n\n".join(parts)
