"""Experiments that run the hardware: the key ``rtl`` instead of models and schemes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.documents import Document, read_document
from bitjoule.energy_models.technology import technologies
from bitjoule.energy_models.validation import Strict, unknown_name, validate, wrong_value
from bitjoule.experiments.reader import overridden
from bitjoule.experiments.schema import MatmulSize

DEFAULT_CONFIG = "simulate_64x16"
DEFAULT_MODEL = "tiny-b158"
DEFAULT_PROMPT = "The sum of "


class RtlRun(Strict):
    """What is simulated: a model that generates text, or bare matmuls."""

    config: str = Field(default=DEFAULT_CONFIG, description="accelerator: a YAML file, or a shipped configuration")
    engine: Literal["rtl", "numpy", "check"] = Field(default="rtl", description="check: both, every product compared")
    model: str | None = Field(
        default=None, description="a Hugging Face folder, a model that ships, or with random_weights a preset"
    )
    matmuls: list[MatmulSize] | None = Field(default=None, min_length=1, description="instead of a model")
    random_weights: float | None = Field(default=None, ge=0, le=1, description="share of zeros of trits that are drawn")
    prompt: str | None = Field(default=None, description="text, or ids for a model without tokenizer")
    new_tokens: int = Field(default=32, ge=1, le=999_999)
    temperature: float = Field(default=0.6, ge=0, le=1000, description="0: the likeliest token")
    seed: int = Field(default=0, ge=0, le=10**18, description="of what is drawn")
    toggles: bool = Field(default=False, description="count toggles in each matmul's first cycles; a slower build")
    clock_mhz: float = Field(default=500.0, ge=1e-3, le=1e6, description="of the accelerator")

    @model_validator(mode="after")
    def _model_or_matmuls(self) -> Self:
        if self.matmuls is not None and self.model is not None:
            raise wrong_value("model and matmuls are both given", "one of them")
        if self.matmuls is not None and self.random_weights is None:
            raise wrong_value("matmuls without random_weights", "random_weights, the share of zero trits")
        return self


class RtlExperiment(Strict):
    """An experiment on the hardware."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100, description="the output folder")
    description: str = ""
    technology: str = Field(default="7nm", description="whose prices")
    rtl: RtlRun

    @model_validator(mode="after")
    def _known_technology(self) -> Self:
        if self.technology not in technologies():
            raise wrong_value(*unknown_name("technology", self.technology, technologies()), "technology")
        return self


def read_rtl_experiment(path: Path, overrides: Sequence[str] = ()) -> tuple[RtlExperiment, Document] | None:
    """Return a hardware experiment and where it is written, or none if the file is one of another kind.

    Parameters
    ----------
    path
        The YAML file.
    overrides
        ``key=value`` texts, as of ``--set``.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    document = overridden(read_document(path), overrides)
    if not (isinstance(document.data, dict) and "rtl" in document.data):
        return None
    return validate(RtlExperiment, document), document
