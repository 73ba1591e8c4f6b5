"""The schema of the file of a price experiment: the key ``compare``, pairs of technologies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, field_validator

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.entries import NamedTechnology, NameOrTechnology
from bitjoule.experiments.names.inherited import with_bases
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.experiments.names.technologies import read_technology, technology_of

Pair = Annotated[list[NameOrTechnology], Field(json_schema_extra={"minItems": 2, "maxItems": 2})]


class PricesExperiment(ExperimentFile):
    """An experiment that compares prices; nothing is synthesised and nothing counted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule price experiment")

    compare: list[Pair] = Field(
        min_length=1, max_length=8,
        description="pairs of technologies, the second relative to the first: names, paths to a "
        "technology of `bitjoule calibrate`, or such written out",
    )  # fmt: skip

    @property
    def size(self) -> str:
        """How many pairs are compared."""
        return f"{counted(len(self.compare), 'pair')} of technologies"

    @field_validator("compare")
    @classmethod
    def _two_each(cls, pairs: list[Pair]) -> list[Pair]:
        for i, pair in enumerate(pairs):
            if len(pair) != 2:
                raise wrong_value(f"has length {len(pair)}", "two technologies", i)
        return pairs


@dataclass(frozen=True)
class PricesInput:
    """A price experiment with its technologies.

    Parameters
    ----------
    experiment
        With the technologies of files inlined.
    pairs
        The technologies that are compared.
    inputs
        SHA-256 of the experiment's file and of those that it names, by name as written.
    """

    experiment: PricesExperiment
    pairs: Sequence[tuple[Technology, Technology]]
    inputs: Mapping[str, str]


def read_prices_experiment(document: Document) -> PricesInput:
    """Return a checked price experiment.

    Parameters
    ----------
    document
        Where it was written; paths in it are relative to its folder.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    document = with_bases(document)
    experiment = validate(PricesExperiment, document)
    lookup = Lookup(document, [], document.inputs)
    pairs = _pairs(experiment, lookup)
    inlined = experiment.model_copy(update={"compare": [list(pair) for pair in pairs]})
    technologies = [(technology_of(first), technology_of(second)) for first, second in pairs]
    return PricesInput(inlined, technologies, lookup.inputs)


def _pairs(experiment: PricesExperiment, lookup: Lookup) -> list[tuple[str | NamedTechnology, str | NamedTechnology]]:
    """Return the pairs with the technologies of files inlined."""
    problems = lookup.problems
    pairs = []
    for i, entries in enumerate(experiment.compare):
        technologies = [read_technology(lookup, entry, ("compare", i, side)) for side, entry in enumerate(entries)]
        names = [
            technology if isinstance(technology, str) else technology.name
            for technology in technologies
            if technology is not None
        ]
        if len(names) == 2 and names[0] == names[1]:
            problems.append(
                lookup.document.problem(("compare", i), f"{names[0]!r} is compared with itself", "two technologies")
            )
        pairs.append((technologies[0], technologies[1]))
    if problems:
        raise InputError(dict.fromkeys(problems))
    return [(first, second) for first, second in pairs if first is not None and second is not None]
