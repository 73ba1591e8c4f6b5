"""The schema of the file of a quality experiment: the key ``quality``, a ladder and the table of its trainings."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from bitjoule.energy_models.inputs.validation import OneOf, Strict, wrong_value
from bitjoule.energy_models.papers.accuracies import LOWER_IS_BETTER, benchmarks
from bitjoule.experiments.energy.schema import RequestSizes, swept
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.entries import NameOrPlatform, NameOrScheme, NameOrShape, NameOrTechnology


def perplexities() -> tuple[str, ...]:
    """Return the benchmarks whose logarithm is a loss."""
    return tuple(name for name in benchmarks() if LOWER_IS_BETTER in name)


class Quality(Strict):
    """What was trained, and what it is compared with."""

    ladder: str = Field(description="name or file of the ladder")
    table: str = Field(description="its trainings: the name of a table that ships, or the CSV file of `bitjoule train`")
    baseline: str = Field(description="format that others are compared with")
    over: Literal["parameters", "learning_rate", "format", "tokens"] = Field(
        default="parameters", description="what the pictures have losses over"
    )
    laws: bool = Field(default=False, description="fit scaling laws")
    post_training: str | None = Field(default=None, description="table of models quantised after their training")
    history: str | None = Field(default=None, description="with `over: tokens`: table of losses and zeros by step")
    schemes: dict[str, str] = Field(
        default_factory=dict, description="scheme whose energy a format or a method takes; others are left out"
    )
    published: Annotated[str, OneOf(perplexities)] | None = Field(
        default=None, description="published perplexity of `models`, whose logarithm is set over their energy"
    )


class QualityExperiment(ExperimentFile):
    """An experiment on the losses of trained models; with platforms, over the energy of a generated token."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule quality experiment")

    quality: Quality
    models: list[NameOrShape] | None = Field(default=None, min_length=1, description="models with published losses")
    schemes: list[NameOrScheme] | None = Field(default=None, min_length=1)
    technologies: list[NameOrTechnology] | None = Field(default=None, min_length=1)
    platforms: list[NameOrPlatform] | None = Field(default=None, min_length=1)
    workload: RequestSizes | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        quality = self.quality
        energy = {"schemes": self.schemes, "technologies": self.technologies, "workload": self.workload}
        if self.platforms is not None:
            missing = [key for key, value in energy.items() if value is None]
            if missing:
                raise wrong_value(f"platforms without {missing[0]}", missing[0], missing[0])
            if not quality.schemes:
                raise wrong_value("platforms without a scheme of any format", "format: scheme", "quality", "schemes")
        else:
            beside = ("schemes", "workload", "models", *(["technologies"] if quality.over != "tokens" else []))
            left = [key for key in beside if getattr(self, key) is not None]
            if left:
                raise wrong_value(f"{left[0]} without platforms", "platforms, or no such key", left[0])
        if (quality.published is None) != (self.models is None):
            at = ("quality", "published") if quality.published is None else ("models",)
            raise wrong_value("models and quality.published belong together", "both, or neither", *at)
        if (quality.over == "tokens") != (quality.history is not None):
            raise wrong_value("`over: tokens` and history belong together", "both, or neither", "quality", "history")
        if quality.over == "tokens" and self.technologies is None:
            raise wrong_value("`over: tokens` without technologies", "technologies, which price zeros", "technologies")
        if self.workload is not None:
            for key in ("prompt_tokens", "new_tokens", "batch"):
                values = swept(getattr(self.workload, key))
                if len(values) != 1 or (key == "new_tokens" and not values[0]):
                    raise wrong_value("is no single workload that generates", "one positive number", "workload", key)
        return self

    @property
    def size(self) -> str:
        """What is compared."""
        return f"losses over {self.quality.over.replace('_', ' ')}"
