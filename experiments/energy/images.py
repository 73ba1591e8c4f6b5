"""Requests of vision models: a batch of images, each of which is what a token is elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from bitjoule.energy_models.architecture.block import Described
from bitjoule.energy_models.architecture.images.vision import VisionShape
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import Problem
from bitjoule.experiments.energy.plots import AnyPlot, LossPlot
from bitjoule.experiments.energy.schema import RequestSizes, swept

OF_IMAGES = {"prompt_tokens": 1, "new_tokens": 0}


def takes_images(model: Described) -> bool:
    """Return whether what is a token elsewhere is an image of a model.

    Parameters
    ----------
    model
        The model.
    """
    return isinstance(model, get_args(VisionShape))


def beyond_images(
    models: Mapping[str, Described], workload: RequestSizes | None, plots: Sequence[AnyPlot], document: Document
) -> Iterator[Problem]:
    """Yield what an experiment asks for that vision models among its models do not have.

    Parameters
    ----------
    models
        Of the experiment.
    workload, plots, document
        What is asked of them, and where it is written.
    """
    name = next((name for name, model in models.items() if takes_images(model)), None)
    if name is None:
        return
    for i, plot in enumerate(plots):
        if isinstance(plot, LossPlot):
            wrong = f"a plot of kind 'loss_vs_energy' with {name}, a model of images"
            yield document.problem(("plots", i), wrong, "models of text: the scaling laws are theirs")
    if workload is None:
        return
    for key, only in OF_IMAGES.items():
        values = swept(getattr(workload, key))
        if values != [only]:
            wrong = f"{key} of {name}, a model of images, is {', '.join(map(str, values[:5]))}"
            expected = "prompt_tokens: 1 and new_tokens: 0; batch is the number of images"
            yield document.problem(("workload", key), wrong, expected)
