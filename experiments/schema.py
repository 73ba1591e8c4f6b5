"""What an experiment file may say. Its JSON Schema is what ``bitjoule schema`` prints."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from bitjoule.energy_models.arithmetic import Accounting
from bitjoule.energy_models.models import ModelShape
from bitjoule.energy_models.schemes import Scheme
from bitjoule.energy_models.validation import Strict, wrong_value

MAX_VALUE = 10**9  # tokens, batch, matmul sizes: keeps every count of operations a finite float64
MAX_CASES = 1_000_000

Count = Annotated[int, Field(ge=1, le=MAX_VALUE)]
CountOrNone = Annotated[int, Field(ge=0, le=MAX_VALUE)]


def _kind(value: Any) -> str:
    return "named" if isinstance(value, str) else "written"


class NamedShape(ModelShape):
    """A model written out in the experiment instead of named."""

    instead: ClassVar[str] = "a name, a path to a config.json, or "

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=100)

    def shape(self) -> ModelShape:
        """Return the shape without the name."""
        return ModelShape.model_validate(self.model_dump(exclude={"name"}))


class NamedScheme(Scheme):
    """A scheme written out in the experiment instead of named."""

    instead: ClassVar[str] = "a name, or "

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$", max_length=100)


class MatmulSize(Strict):
    """A bare matrix product (M, K) @ (K, N)."""

    m: Count = Field(description="tokens")
    k: Count = Field(description="in_features")
    n: Count = Field(description="out_features")


class Range(Strict):
    """Evenly or geometrically spaced whole numbers, both ends included."""

    start: CountOrNone
    stop: CountOrNone
    step: Count | None = Field(default=None, description="difference of neighbours")
    factor: int | None = Field(default=None, ge=2, le=MAX_VALUE, description="quotient of neighbours")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if (self.step is None) == (self.factor is None):
            raise wrong_value("a range needs one of step and factor", "exactly one of them")
        if self.stop < self.start:
            raise wrong_value(f"stop {self.stop} is below start {self.start}: an empty sweep", "stop >= start")
        if self.factor is not None and self.start == 0:
            raise wrong_value("a range with a factor starts at 0", "start >= 1")
        if self.step is not None and (self.stop - self.start) // self.step >= MAX_CASES:
            raise wrong_value("the range has too many values", f"at most {MAX_CASES}")
        return self

    @property
    def values(self) -> list[int]:
        """The numbers."""
        if self.factor is None:
            return list(range(self.start, self.stop + 1, self.step or 1))
        values = [self.start]
        while values[-1] * self.factor <= self.stop:
            values.append(values[-1] * self.factor)
        return values


def _sweep_kind(value: Any) -> str:
    if isinstance(value, dict | Range):
        return "range"
    return "list" if isinstance(value, list) else "number"


Sweep = Annotated[
    Annotated[Count, Tag("number")]
    | Annotated[list[Count], Field(min_length=1), Tag("list")]
    | Annotated[Range, Tag("range")],
    Discriminator(_sweep_kind),
]
SweepOrNone = Annotated[
    Annotated[CountOrNone, Tag("number")]
    | Annotated[list[CountOrNone], Field(min_length=1), Tag("list")]
    | Annotated[Range, Tag("range")],
    Discriminator(_sweep_kind),
]


class Workload(Strict):
    """What is asked of the model. Each value may be a list or a range: a sweep."""

    prompt_tokens: Sweep = Field(default=512, description="tokens of the prompt, processed at once")
    new_tokens: SweepOrNone = Field(default=0, description="tokens generated after it, one at a time")
    batch: Sweep = Field(default=1, description="sequences processed together")

    @model_validator(mode="after")
    def _not_from_zero(self) -> Self:
        for key in ("prompt_tokens", "batch"):
            if 0 in swept(getattr(self, key)):
                raise wrong_value("starts at 0", "at least 1", key)
        return self


def swept(value: int | list[int] | Range) -> list[int]:
    """Return the values of a number, a list or a range.

    Parameters
    ----------
    value
        A workload entry.
    """
    if isinstance(value, Range):
        return value.values
    return value if isinstance(value, list) else [value]


class Baseline(Strict):
    """The case that others are compared with: the same case but for the keys given here."""

    model: str | None = None
    scheme: str | None = None
    technology: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.model, self.scheme, self.technology) == (None, None, None):
            raise wrong_value("an empty baseline", "at least one of model, scheme, technology")
        return self

    @property
    def name(self) -> str:
        """What it fixes, for headers and axes, e.g. ``fp16 45nm``."""
        return " ".join(part for part in (self.model, self.scheme, self.technology) if part)


class EnergyPlot(Strict):
    """Energy over parameters, log-log, one line a scheme, one panel a technology."""

    kind: Literal["energy_vs_size"]


class RatioPlot(Strict):
    """Baseline energy over ours, one line a scheme, one panel a technology."""

    kind: Literal["ratio_vs_size"]


class ComponentsPlot(Strict):
    """Stacked energy of each model and scheme."""

    kind: Literal["components"]
    by: Literal["component", "action"] = Field(default="component", description="what is stacked")
    share: bool = Field(default=True, description="per cent of the total instead of joules")


class PublishedPlot(Strict):
    """Ours against the printed numbers, with residuals."""

    kind: Literal["published"]


Plot = Annotated[EnergyPlot | RatioPlot | ComponentsPlot | PublishedPlot, Field(discriminator="kind")]
NameOrShape = Annotated[Annotated[str, Tag("named")] | Annotated[NamedShape, Tag("written")], Discriminator(_kind)]
NameOrScheme = Annotated[Annotated[str, Tag("named")] | Annotated[NamedScheme, Tag("written")], Discriminator(_kind)]


class Experiment(Strict):
    """One experiment: what is run, how it is counted and priced, what is drawn."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        title="bitjoule experiment",
        json_schema_extra={"oneOf": [{"required": ["models"]}, {"required": ["matmuls"]}]},
    )

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100, description="the output folder")
    description: str = ""
    accounting: Accounting = Field(
        default=Accounting.ARITHMETIC,
        strict=False,
        description="arithmetic: as the papers count; mac: multiplications and additions of the MACs alone",
    )
    models: list[NameOrShape] | None = Field(
        default=None, min_length=1, description="preset names, paths to a Hugging Face config.json, or shapes"
    )
    matmuls: list[MatmulSize] | None = Field(default=None, min_length=1, description="instead of models")
    schemes: list[NameOrScheme] = Field(min_length=1)
    technologies: list[str] = Field(min_length=1)
    workload: Workload | None = Field(default=None, description="not with matmuls, which carry their tokens as m")
    baseline: Baseline | None = None
    published: str | None = Field(default=None, description="printed numbers to set beside ours")
    plots: list[Plot] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _workload_written_out(cls, data: Any) -> Any:
        if isinstance(data, dict) and "workload" not in data and "matmuls" not in data:
            return {**data, "workload": {}}
        return data

    @field_validator("schemes", "technologies", "models")
    @classmethod
    def _each_once(cls, values: list[Any] | None) -> list[Any] | None:
        names = [value if isinstance(value, str) else value.name for value in values or []]
        repeated = _repeated(names)
        if repeated is not None:
            raise wrong_value(f"{repeated!r} stands twice", "each name once")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.models is None) == (self.matmuls is None):
            both = "models and matmuls are both given" if self.models else "neither models nor matmuls is given"
            raise wrong_value(both, "one of them")
        if self.matmuls is not None and self.workload is not None:
            raise wrong_value("workload with matmuls", "the tokens as `m` of each matmul", "workload")
        if any(plot.kind == "published" for plot in self.plots) and self.published is None:
            raise wrong_value("a plot of kind 'published' without `published`", "`published`, the table", "plots")
        if any(plot.kind == "ratio_vs_size" for plot in self.plots) and self.baseline is None:
            raise wrong_value("a plot of kind 'ratio_vs_size' without `baseline`", "`baseline`", "plots")
        if self.workload is not None:
            sizes = (self.workload.prompt_tokens, self.workload.new_tokens, self.workload.batch)
            for key, values in zip(("prompt_tokens", "new_tokens", "batch"), map(swept, sizes), strict=True):
                if _repeated(values) is not None:
                    raise wrong_value(f"holds {_repeated(values)} twice", "each value once", "workload", key)
        if self.cases > MAX_CASES:
            raise wrong_value(f"the sweep has {self.cases} cases", f"at most {MAX_CASES}", "workload")
        return self

    @property
    def cases(self) -> int:
        """How many cases the sweep has."""
        count = len(self.models or self.matmuls or ()) * len(self.schemes) * len(self.technologies)
        if self.matmuls is None:
            workload = self.workload or Workload()
            for value in (workload.prompt_tokens, workload.new_tokens, workload.batch):
                count *= len(swept(value))
        return count


def _repeated(values: Iterable[Any]) -> Any | None:
    seen = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
