"""The schema of the file of an experiment with published designs: the key ``designs``."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.validation import OneOf, validate
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.machines.designs import design_names
from bitjoule.experiments.files import ExperimentFile


class DesignsExperiment(ExperimentFile):
    """An experiment that sets published numbers beside predictions; nothing is fitted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule experiment with published designs")

    designs: list[Annotated[str, OneOf(design_names)]] = Field(
        min_length=1, description="platforms of published designs, from published_designs.csv"
    )

    @property
    def size(self) -> str:
        """How many designs are compared."""
        return counted(len(self.designs), "published design")


@dataclass(frozen=True)
class DesignsInput:
    """An experiment with published designs.

    Parameters
    ----------
    experiment
        As checked.
    """

    experiment: DesignsExperiment


def read_designs_experiment(document: Document) -> DesignsInput:
    """Return a checked experiment.

    Parameters
    ----------
    document
        Where it was written.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    return DesignsInput(validate(DesignsExperiment, document))
