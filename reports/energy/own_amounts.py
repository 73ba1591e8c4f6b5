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
        own = amounts[amounts["base"] == ""]
        inherited = amounts.loc[amounts["base"] != "", "base"]
        rows = []
        for row in own.iloc[:max_rows].to_dict("records"):
            band = [f"{row[end]:.10g}" for end in ("low", "high")]
            band = ["", ""] if row["low"] == row["high"] else band
            rows.append([row["key"], f"{row['value']:.10g}", *band, row["unit"], row["source"].replace("|", "\\|")])
        text = "What this platform, which is not built in, states."
        if len(inherited):
            others = "amount is that" if len(inherited) == 1 else "amounts are those"
            states = "What this platform states itself; its other" if len(own) else "Its"
            text = f"{states} {len(inherited)} {others} of {inherited.iloc[0]}."
        table = markdown(["key", "value", "low", "high", "unit", "source"], rows, [0, 4, 5])
        table = f"\n\n{table}{cut(len(own), max_rows, 'experiment.yaml')}" if rows else ""
        parts.append(f"## Amounts of {name}\n\n{text}{table}")
    return "\n\n".join(parts)
