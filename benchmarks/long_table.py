"""Tables with a line for each value: name of the row, quantity, value; `make docs-numbers` shows them in docs/."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def write(path: Path, name: str, rows: Iterable[tuple[str, str, float]], digits: int = 4) -> None:
    """Write rows; those of the file with the same name and quantity are replaced, so that libraries can be run apart.

    Parameters
    ----------
    path
        The CSV file.
    name
        Header of the names.
    rows
        Name, quantity and value of each.
    digits
        Significant digits of the values.
    """
    values: dict[tuple[str, str], float] = {}
    if path.exists():
        values = {(row, quantity): value for row, quantity, value in pd.read_csv(path).itertuples(index=False)}
    values |= {(row, quantity): float(f"{value:.{digits}g}") for row, quantity, value in rows}
    table = pd.DataFrame([(*key, value) for key, value in values.items()], columns=[name, "quantity", "value"])
    table.to_csv(path, index=False, float_format=f"%.{digits}g")
