"""Defaults for what a model's config.json leaves out: `data/model_types.yaml`."""

from functools import cache
from pathlib import Path

from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.validation import Strict, validate

FILE = Path(__file__).parents[1] / "data" / "model_types.yaml"


class ModelType(Strict):
    """Defaults of one ``model_type``.

    Parameters
    ----------
    norm_epsilon
        Added to the mean square of every norm.
    rope_theta
        Base of the rotary angles.
    configuration_class
        Of transformers, whose defaults they are.
    """

    norm_epsilon: float = Field(gt=0)
    rope_theta: float = Field(gt=0)
    configuration_class: str = Field(min_length=1)


class QuantisationNorm(Strict):
    """The epsilon of the norms before quantised linears, and the class of transformers whose default it is."""

    value: float = Field(gt=0)
    configuration_class: str = Field(min_length=1)


class RandomModel(Strict):
    """Settings of models with random weights, and why."""

    norm_epsilon: float = Field(gt=0)
    rope_theta: float = Field(gt=0)
    assumption: str = Field(min_length=1)


class ModelTypes(Strict):
    """The file data/model_types.yaml.

    Parameters
    ----------
    source, where
        Of all but `random`: a citation key, and the place and version.
    types
        Every ``model_type`` that can be run.
    """

    source: str = Field(min_length=1)
    where: str = Field(min_length=1)
    quantisation_norm_epsilon: QuantisationNorm
    types: dict[str, ModelType]
    random: RandomModel


@cache
def model_types() -> ModelTypes:
    """Return the file's contents.

    Raises
    ------
    InputError
        data/model_types.yaml is wrong.
    """
    return validate(ModelTypes, read_document(FILE))
