"""The loss of each model in each scheme by the papers' scaling laws."""

import pandas as pd

from bitjoule.energy_models.papers.scaling import BILLION, laws, loss
from bitjoule.experiments.energy.grid import Grid

LEAST_OF_NAME = 0.75  # the parameters of a model that is named 125M are 98M, of one named 6.7B 6.5B


def losses(grid: Grid) -> pd.DataFrame:
    """Return a row for each model and scheme whose weights have a law.

    Parameters
    ----------
    grid
        The cases of an experiment.

    Returns
    -------
    DataFrame
        Columns model, scheme, loss and fitted: whether the law was fitted on such sizes.
    """
    rows = []
    for scheme, formats in grid.schemes.items():
        law = laws().get(formats.weights)
        if law is None:
            continue
        low, high = law.smallest_b * BILLION * LEAST_OF_NAME, law.largest_b * BILLION
        for model, shape in grid.models.items():
            rows.append((model, scheme, loss(law, shape.parameters), low <= shape.parameters <= high))
    return pd.DataFrame(rows, columns=["model", "scheme", "loss", "fitted"])
