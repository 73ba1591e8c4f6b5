"""The schema of the file of a hardware experiment: the key ``rtl`` instead of models and schemes."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, validate, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names import platforms
from bitjoule.experiments.names.entries import MatmulSize, OnePlatform
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.rtl.config import COMMAND_M_BITS, COMMAND_N_BITS, MAX_K

DEFAULT_CONFIG = "simulate_64x16"
DEFAULT_MODEL = "tiny-b158"
DEFAULT_PLATFORM = "ternary-edge"
DEFAULT_PROMPT = "The sum of "
DEFAULT_IDS = "0 1 2"  # of a model without tokenizer
OF_MODELS = ("model", "weights", "prompt", "new_tokens", "temperature")  # keys that do not apply to bare matmuls


class RtlMatmul(MatmulSize):
    """A bare matrix product (M, K) @ (K, N) that fits in one command."""

    m: int = Field(ge=1, le=(1 << COMMAND_M_BITS) - 1, description="number of tokens")
    k: int = Field(ge=1, le=MAX_K[-1], description="in_features; at most the configuration's max_k")
    n: int = Field(ge=1, le=(1 << COMMAND_N_BITS) - 1, description="out_features")


def _has_key(key: str) -> JsonDict:
    """Return the JSON Schema of a mapping that has a key with a value other than null."""
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


class RtlRun(Strict):
    """The simulation: a model that generates text, or bare matmuls."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "if": _has_key("matmuls"),
            "then": {"allOf": [_has_key("random_weights"), {"not": {"anyOf": [_has_key(key) for key in OF_MODELS]}}]},
            "not": {
                "anyOf": [
                    {"allOf": [_has_key("weights"), _has_key("random_weights")]},
                    {
                        "required": ["engine", "toggles"],
                        "properties": {"engine": {"const": "numpy"}, "toggles": {"const": True}},
                    },
                ]
            },
        }
    )

    config: str = Field(
        default=DEFAULT_CONFIG,
        description="configuration of an accelerator or of a whole BitLinear: a YAML file or a bundled one",
    )
    engine: Literal["rtl", "numpy", "check"] = Field(
        default="rtl", description="matmul backend; check: run both and compare every product or output"
    )
    model: str | None = Field(
        default=None,
        description=f"a Hugging Face directory, a bundled model (default: {DEFAULT_MODEL}), or with random_weights "
        "a preset too",
    )
    weights: Literal["ternary", "binary"] | None = Field(
        default=None, description="quantise the model's floating-point weights to this format"
    )
    matmuls: Annotated[list[RtlMatmul], Field(min_length=1, json_schema_extra={"uniqueItems": True})] | None = Field(
        default=None, description="matmul sizes to run on random operands, instead of a model"
    )
    random_weights: float | None = Field(default=None, ge=0, le=1, description="share of zeros among random weights")
    prompt: str | None = Field(
        default=None,
        description=f"text (default: {DEFAULT_PROMPT!r}), or ids for a model without tokenizer "
        f"(default: {DEFAULT_IDS!r})",
    )
    new_tokens: int = Field(default=32, ge=1, le=999_999, description="maximum number of generated tokens")
    temperature: float = Field(default=0.6, ge=0, le=1000, description="sampling temperature; 0: greedy")
    seed: int = Field(default=0, ge=0, le=10**18, description="random seed")
    toggles: bool = Field(default=False, description="count toggles in the first cycles of each matmul (slower)")
    clock_mhz: float | None = Field(
        default=None, ge=1e-3, le=1e6, description="clock of the accelerator; default: the platform's"
    )

    @model_validator(mode="after")
    def _model_or_matmuls(self) -> Self:
        set_keys = [key for key in self.model_fields_set if getattr(self, key) is not None]
        for key in OF_MODELS:
            if self.matmuls is not None and key in set_keys:
                raise wrong_value(f"{key} and matmuls are both given", "one of them")
        if self.weights is not None and self.random_weights is not None:
            raise wrong_value("weights and random_weights are both given", "one of them")
        if self.toggles and self.engine == "numpy":
            raise wrong_value("engine numpy cannot count toggles", "engine rtl or check", "toggles")
        if self.matmuls is not None and self.random_weights is None:
            raise wrong_value("matmuls without random_weights", "random_weights, the share of zero trits")
        if len({(size.m, size.k, size.n) for size in self.matmuls or ()}) < len(self.matmuls or ()):
            raise wrong_value("duplicate size", "each size once", "matmuls")
        return self


class RtlExperiment(ExperimentFile):
    """An experiment on the hardware: the simulation, and the machine whose time and energy are reported."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule hardware experiment")

    technology: str = Field(
        default="7nm",
        description="technology whose prices are used",
        json_schema_extra=lambda schema: schema.update(enum=[*technologies()]),
    )
    platform: OnePlatform = Field(
        default=DEFAULT_PLATFORM, description="platform around the accelerator: a name, a path, or inline"
    )
    rtl: RtlRun = Field(description="hardware simulation")

    @property
    def size(self) -> str:
        """A model's run, or the number of matmuls."""
        if self.rtl.matmuls is None:
            return "1 run on the accelerator"
        return f"{counted(len(self.rtl.matmuls), 'matmul')} on the accelerator"

    @model_validator(mode="after")
    def _known_technology(self) -> Self:
        if self.technology not in technologies():
            raise wrong_value(*unknown_name("technology", self.technology, technologies()), "technology")
        return self


def read_rtl_experiment(document: Document) -> RtlExperiment:
    """Return a checked hardware experiment.

    Parameters
    ----------
    document
        Where it was written.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    experiment = validate(RtlExperiment, document)
    read_machine(experiment, document)
    return experiment


def read_machine(experiment: RtlExperiment, document: Document) -> tuple[platforms.MachineRead, dict[str, str]]:
    """Return the platform of a hardware experiment, and the SHA-256 of its file, if it has one, by its name.

    Parameters
    ----------
    experiment, document
        The experiment, and where it is written.

    Raises
    ------
    InputError
        There is no such platform, or its file is wrong.
    """
    lookup = Lookup(document, [], {})
    machine = platforms.read_machine(lookup, experiment.platform, ("platform",))
    if machine is None:
        raise InputError(lookup.problems)
    return machine, lookup.inputs
