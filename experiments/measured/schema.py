"""The schema of the file of an experiment on measured machines: the key ``measured``."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.validation import OneOf, Strict, validate, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.machines.names import measured_schemes
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.inherited import with_bases

MAX_TOKENS = 1 << 24
PlatformName = Annotated[str, OneOf(lambda: tuple(platforms()))]
SchemeName = Annotated[str, OneOf(lambda: tuple(measured_schemes()))]
ModelName = Annotated[str, OneOf(lambda: tuple(presets()))]


class LowBit(Strict):
    """Decode of one model in several formats on several machines."""

    model: ModelName = Field(description="a preset")
    machines: list[PlatformName] = Field(min_length=1, max_length=20)
    formats: list[SchemeName] = Field(
        min_length=2, max_length=12, description="schemes, those of measured rows included; gains are over the first"
    )
    batch: list[Annotated[int, Field(ge=1, le=1 << 16)]] = Field(default=[1], min_length=1, max_length=8)
    prompt_tokens: int = Field(default=512, ge=0, le=MAX_TOKENS, description="before the tokens that are generated")
    new_tokens: int = Field(default=128, ge=1, le=MAX_TOKENS)


class Measured(Strict):
    """What is shown of measured machines: one of the two."""

    use: Literal["hold", "fit"] | None = Field(
        default=None, description="rows of measured_machines.csv that are predicted: to check, or those fitted to"
    )
    prompt_tokens: list[Annotated[float, Field(ge=1, le=MAX_TOKENS)]] = Field(
        default=[256.0, 900.0], min_length=2, max_length=2,
        description="low and high of prompts that rows of whole requests do not print",
    )  # fmt: skip
    low_bit: LowBit | None = Field(default=None, description="what narrow weights gain in decode, and what bounds it")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.use is None) == (self.low_bit is None):
            raise wrong_value("requires one of use and low_bit", "exactly one of them")
        if self.prompt_tokens[0] > self.prompt_tokens[1]:
            raise wrong_value(f"got {self.prompt_tokens}", "low and high", "prompt_tokens")
        return self


class MeasuredExperiment(ExperimentFile):
    """An experiment on machines that others measured."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule experiment on measured machines")

    measured: Measured

    @property
    def size(self) -> str:
        """How many rows, or cases, it has."""
        low_bit = self.measured.low_bit
        if low_bit is None:
            return f"rows to {'check' if self.measured.use == 'hold' else 'fit'}"
        return counted(len(low_bit.machines) * len(low_bit.formats) * len(low_bit.batch), "case")


def read_measured_experiment(document: Document) -> MeasuredExperiment:
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
    return validate(MeasuredExperiment, with_bases(document))
