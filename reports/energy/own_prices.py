"""The prices of the user's own technologies, as a table of the summary."""

from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import cut, markdown


def own_prices_text(frames: Frames, max_rows: int) -> str:
    """Return a table of each technology that is not built in; nothing without any.

    Parameters
    ----------
    frames
        Of a run.
    max_rows
        Rows shown of each table.
    """
    parts = []
    for name, prices in frames.own_prices.groupby("technology", sort=False):
        rows = []
        for row in prices.iloc[:max_rows].to_dict("records"):
            energies = [significant(row[f"energy_{end}pj"]) for end in ("", "low_", "high_")]
            source = ", ".join(text for text in (row["source"], row["where"]) if text) or "none given"
            rows.append([row["price"], *energies, row["unit"], source.replace("|", "\\|")])
        headers = ["price", "pJ", "low", "high", "for one", "source"]
        table = markdown(headers, rows, [0, 4, 5]) + cut(len(prices), max_rows, "experiment.yaml")
        parts.append(
            f"## Prices of {name}\n\nWhat the cases can pay of this technology, which is not built in.\n\n{table}"
        )
    return "\n\n".join(parts)
