"""The part of a run that one plot draws: its own models, and its own workload of a sweep."""

from dataclasses import replace

import pandas as pd

from bitjoule.experiments.energy.frames import Frames, PlotFrames
from bitjoule.experiments.energy.plots import AnyPlot

BY_MODEL = ("summary", "comparison", "memory", "bands", "sensitivity")


def selected(frames: Frames, plot: AnyPlot) -> Frames:
    """Return the tables with the rows that a plot selects by `models` and `at`; all models if none of them is run.

    Parameters
    ----------
    frames
        Of a run.
    plot
        What the experiment asks for.
    """
    values = {} if plot.at is None else plot.at.model_dump(exclude_none=True)
    if plot.models is None and not values:
        return frames
    every = list(frames.models.index)
    models = [name for name in plot.models or () if name in every] or every

    def of(table: pd.DataFrame) -> pd.DataFrame:
        for column, accepted in (("model", models), *((axis, [value]) for axis, value in values.items())):
            if column in table:
                table = table[table[column].isin(accepted)]
        return table.reset_index(drop=True)

    workload = frames.workload
    return Frames(
        **{field: getattr(frames, field) for field in Frames.__dataclass_fields__}
        | {field: of(getattr(frames, field)) for field in BY_MODEL}
        | {
            "models": frames.models.loc[[name for name in frames.models.index if name in models]],
            "workload": workload and {axis: [values[axis]] if axis in values else workload[axis] for axis in workload},
            "plots": replace(
                frames.plots, **{name: of(getattr(frames.plots, name)) for name in PlotFrames.__dataclass_fields__}
            ),
        }
    )
