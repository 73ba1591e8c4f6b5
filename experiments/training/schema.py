"""The schema of the file of a training experiment: the key ``training``, the ways in which models are trained."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.training.options import Options
from bitjoule.experiments.energy.schema import MAX_MAPPED
from bitjoule.experiments.names.on_machines import OnMachines, SchemeBaseline

MAX_CASES = 2_000
PLAIN = "plain"


class Way(Options):
    """A named way to train; what it leaves out is as for all ways."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]*$", max_length=60)


class Inference(Strict):
    """The requests that the trained model serves, on one of the experiment's platforms, which then does not train."""

    platform: str
    prompt_tokens: Annotated[int, Field(ge=1, le=MAX_MAPPED)] = 512
    new_tokens: Annotated[int, Field(ge=1, le=MAX_MAPPED)] = 128
    batch: Annotated[int, Field(ge=1, le=1 << 16)] = 1

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.prompt_tokens + self.new_tokens > MAX_MAPPED:
            wrong = f"a context of {self.prompt_tokens + self.new_tokens} tokens"
            raise wrong_value(wrong, f"at most {MAX_MAPPED}", "prompt_tokens")
        return self


class Training(Options):
    """Options of all ways, the ways, the tokens of the whole training, and what the model does then."""

    tokens: float = Field(default=1e12, ge=1, le=1e18, description="tokens of the whole training")
    ways: list[Way] = Field(default_factory=list, max_length=100, description="named ways; default: one")
    inference: Inference | None = Field(default=None, description="requests that pay back what training takes more")

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        names = [way.name for way in self.ways]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise wrong_value(f"duplicate way {repeated!r}", "each name once", "ways")
        return self

    def options(self) -> Iterator[tuple[str, Options]]:
        """Yield every way, by name."""
        shared = _given(self)
        for way in self.ways:
            yield way.name, Options.model_validate(shared | _given(way))
        if not self.ways:
            yield PLAIN, Options.model_validate(shared)


def _given(keys: Options) -> dict[str, Any]:
    return {name: getattr(keys, name) for name in Options.model_fields if name in keys.model_fields_set}


class TrainingExperiment(OnMachines):
    """An experiment that trains models in several formats."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule training experiment")

    baseline: SchemeBaseline | None = None
    training: Training

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.cases > MAX_CASES:
            raise wrong_value(f"the experiment has {self.cases} cases", f"at most {MAX_CASES}", "training")
        return self

    @property
    def size(self) -> str:
        """Number of cases, as text."""
        return counted(self.cases, "case")

    @property
    def cases(self) -> int:
        """Number of cases."""
        platforms = len(self.platforms) - (self.training.inference is not None)
        count = len(self.models) * len(self.schemes) * len(self.technologies) * max(platforms, 1)
        return count * max(len(self.training.ways), 1)
