"""The schema of the file of an exploration: the key ``explore``, its knobs, objectives and constraints."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.errors import choices
from bitjoule.energy_models.inputs.validation import OneOf, Strict, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.work.workload import Experts
from bitjoule.experiments.exploration.space.conditions import Constraint, parse
from bitjoule.experiments.exploration.space.knobs import KnobError, Space, Values, space_of
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.entries import (
    Count,
    CountOrNone,
    NamedPlatform,
    NameOrScheme,
    NameOrShape,
    NameOrTechnology,
    entry_tag,
)

MAX_BUDGET = 1_000_000
MetricName = Annotated[str, OneOf(lambda: tuple(METRICS))]


def _checked(text: str) -> str:
    parse(text, METRICS)
    return text


ConstraintText = Annotated[str, AfterValidator(_checked)]
OnePlatform = Annotated[
    Annotated[str, Tag("named")] | Annotated[NamedPlatform, Tag("written")], Discriminator(entry_tag)
]


class Request(Strict):
    """The workload; a knob may vary each of its values."""

    prompt_tokens: Count = Field(default=512, description="number of prompt tokens, processed in one pass")
    new_tokens: CountOrNone = Field(default=0, description="number of generated tokens")
    batch: Count = Field(default=1, description="number of sequences processed together")


class ParetoPlot(Strict):
    """Every design in the plane of two metrics, with the Pareto set."""

    kind: Literal["pareto"]
    x: MetricName | None = Field(default=None, description="default: the last objective")
    y: MetricName | None = Field(default=None, description="default: the first objective")
    by: str | None = Field(default=None, description="name of a knob, whose settings have colours of their own")


class KnobsPlot(Strict):
    """What each knob alone does to the objectives of the best design."""

    kind: Literal["knobs"]


class DesignMapPlot(Strict):
    """The best value of a metric over two knobs, all others free."""

    kind: Literal["design_map"]
    x: str = Field(description="name of a knob")
    y: str = Field(description="name of another knob")
    metric: MetricName | None = Field(default=None, description="default: the first objective")


Plot = Annotated[ParetoPlot | KnobsPlot | DesignMapPlot, Field(discriminator="kind")]


class Explore(Strict):
    """What is varied, what is wanted, and how the space is searched."""

    knobs: dict[str, Values] = Field(
        min_length=1,
        description="by dotted key, e.g. platform.arrays.adders.lanes: a list or a range of its values, of "
        "which {factor: 2} multiplies what is there; or by any "
        "name: {zip: {key: values, ...}} or {product: {key: values, ...}}",
    )
    objectives: list[MetricName] = Field(min_length=1, max_length=4)
    constraints: list[ConstraintText] = Field(
        default_factory=list, max_length=20, description="e.g. area_mm2 <= 2; every model must meet them"
    )
    best: MetricName | None = Field(
        default=None, description="what the best design of the Pareto set is best in; default: the objectives' product"
    )
    budget: int = Field(
        default=4096,
        ge=1,
        le=MAX_BUDGET,
        description="number of designs evaluated; a space of no more is evaluated whole",
    )
    sampler: Literal["nsga2", "tpe", "random"] = Field(default="nsga2", description="search of a larger space")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    batch: int = Field(default=32, ge=1, le=4096, description="designs proposed before any of them is evaluated")
    reference: dict[MetricName, float] | None = Field(
        default=None,
        description="corner of the hypervolume, a value of each objective; default: a tenth beyond the Pareto set",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("objectives", "constraints"):
            names = getattr(self, key)
            repeated = next((name for name in names if names.count(name) > 1), None)
            if repeated is not None:
                raise wrong_value(f"duplicate {repeated!r}", "each once", key)
        if self.reference is not None and set(self.reference) != set(self.objectives):
            raise wrong_value(f"a reference of {', '.join(self.reference)}", "the objectives", "reference")
        try:
            space = self.space
        except KnobError as error:
            raise wrong_value(error.wrong, error.expected, "knobs", *error.at) from None
        whole = len(space) <= self.budget
        if whole and len(space) > MAX_BUDGET:
            raise wrong_value(f"{len(space)} designs", f"at most {MAX_BUDGET}", "knobs")
        return self

    @property
    def space(self) -> Space:
        """The space of the knobs."""
        return space_of(self.knobs)

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints."""
        return tuple(parse(text, METRICS) for text in self.constraints)


class AcceleratorOf(Strict):
    """A configuration of the accelerator in place of an array of the platform."""

    config: str | dict[str, Any] = Field(description="name of a shipped configuration, a path, or its keys")
    array: str = Field(description="name of the array whose sizes become those of the configuration")


class Exploration(ExperimentFile):
    """An exploration."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule exploration")

    models: list[NameOrShape] = Field(
        min_length=1, description="a design runs all of them; its objectives are geometric means over them"
    )
    scheme: NameOrScheme
    technology: NameOrTechnology
    platform: OnePlatform
    accelerator: AcceleratorOf | None = None
    workload: Request = Field(default_factory=Request)
    objective: Objective = Field(default=Objective.ENERGY, strict=False, description="of the mapping search")
    experts: Experts = Field(default=Experts.EXPECTED, strict=False)
    explore: Explore
    plots: list[Plot] = Field(default_factory=list)

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        names = list(self.explore.knobs)
        for i, plot in enumerate(self.plots):
            if isinstance(plot, DesignMapPlot):
                for key in ("x", "y"):
                    if getattr(plot, key) not in names:
                        wrong = f"{getattr(plot, key)!r} is not a knob"
                        raise wrong_value(wrong, choices(names, len(names)), "plots", i, key)
                if plot.x == plot.y:
                    raise wrong_value(f"{plot.x!r} on both axes", "two knobs", "plots", i, "y")
            if isinstance(plot, ParetoPlot):
                if plot.by is not None and plot.by not in names:
                    wrong = f"{plot.by!r} is not a knob"
                    raise wrong_value(wrong, choices(names, len(names)), "plots", i, "by")
                x, y = self.axes_of(plot)
                if x == y:
                    raise wrong_value(f"{x!r} on both axes", "two metrics: x and y", "plots", i)
        return self

    def axes_of(self, plot: ParetoPlot) -> tuple[str, str]:
        """Return the metrics on x and y.

        Parameters
        ----------
        plot
            Of the Pareto set.
        """
        return plot.x or self.explore.objectives[-1], plot.y or self.explore.objectives[0]

    @property
    def size(self) -> str:
        """Number of designs, as text."""
        designs = len(self.explore.space)
        if designs <= self.explore.budget:
            return counted(designs, "design")
        return f"{self.explore.budget} of {counted(designs, 'design')}"
