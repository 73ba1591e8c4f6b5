"""The schema of the file of an energy experiment; ``bitjoule schema`` prints it as JSON Schema."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.errors import choices
from bitjoule.energy_models.inputs.validation import Strict, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.papers.accuracies import accuracies
from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.papers.scaling import laws
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.work.workload import Experts
from bitjoule.experiments.energy.electricity import Costs
from bitjoule.experiments.energy.plots import (
    SYSTEM_PLOTS,
    AccuracyPlot,
    LossPlot,
    MemoryPlot,
    Plot,
    RatioPlot,
    SweepPlot,
    TornadoPlot,
)
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.entries import (
    MAX_VALUE,
    Count,
    CountOrNone,
    MatmulSize,
    NameOrPlatform,
    NameOrScheme,
    NameOrShape,
    NameOrTechnology,
)

MAX_CASES = 1_000_000
MAX_MAPPED = 1 << 24  # features or context of a matmul whose mapping is searched


class Range(Strict):
    """Evenly or geometrically spaced whole numbers, both ends included."""

    start: CountOrNone
    stop: CountOrNone
    step: Count | None = Field(default=None, description="difference between consecutive values")
    factor: int | None = Field(default=None, ge=2, le=MAX_VALUE, description="ratio of consecutive values")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if (self.step is None) == (self.factor is None):
            raise wrong_value("a range requires one of step and factor", "exactly one of them")
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


class RequestSizes(Strict):
    """The workload. Each value may be a list or a range: a sweep."""

    prompt_tokens: Sweep = Field(default=512, description="number of prompt tokens, processed in one pass")
    new_tokens: SweepOrNone = Field(default=0, description="number of generated tokens")
    batch: Sweep = Field(default=1, description="number of sequences processed together")

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
    """The case that others are compared with: the same case with the keys given here replaced."""

    model: str | None = None
    scheme: str | None = None
    technology: str | None = None
    platform: str | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if (self.model, self.scheme, self.technology, self.platform) == (None, None, None, None):
            raise wrong_value("an empty baseline", "at least one of model, scheme, technology, platform")
        return self

    @property
    def name(self) -> str:
        """The names that it fixes, for headers and axes, e.g. ``fp16 45nm``."""
        return " ".join(name for name in (self.model, self.scheme, self.technology, self.platform) if name)


class Experiment(ExperimentFile):
    """One experiment: its cases, their accounting and prices, and its plots."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        title="bitjoule experiment",
        defer_build=True,  # plots of other packages import this module
        json_schema_extra={"oneOf": [{"required": ["models"]}, {"required": ["matmuls"]}]},
    )

    accounting: Accounting = Field(
        default=Accounting.ARITHMETIC,
        strict=False,
        description="arithmetic: the papers' accounting; mac: the multiplications and additions of MACs only; system: "
        "the whole request on a platform",
    )
    models: list[NameOrShape] | None = Field(
        default=None, min_length=1, description="preset names, paths to a Hugging Face config.json, or inline shapes"
    )
    matmuls: list[MatmulSize] | None = Field(default=None, min_length=1, description="instead of models")
    schemes: list[NameOrScheme] = Field(min_length=1)
    technologies: list[NameOrTechnology] = Field(
        min_length=1, description="names, paths to a file written by `bitjoule calibrate`, or inline technologies"
    )
    platforms: list[NameOrPlatform] | None = Field(
        default=None, min_length=1, description="with `accounting: system`: names, paths, sets or inline platforms"
    )
    objective: Objective = Field(
        default=Objective.ENERGY, strict=False, description="objective of the mapping search, with `accounting: system`"
    )
    experts: Experts = Field(
        default=Experts.EXPECTED,
        strict=False,
        description="experts of a mixture whose weights a step reads, with `accounting: system`: the mean of a "
        "uniform router, or the most that its tokens can use",
    )
    workload: RequestSizes | None = Field(
        default=None, description="workload; not with matmuls, which give their tokens as m"
    )
    baseline: Baseline | None = None
    sensitivity: bool = Field(
        default=False, description="with `accounting: system`: effect of each price with a band and of each assumption"
    )
    costs: Costs | None = Field(
        default=None,
        description="with `accounting: system`: kWh, money and gCO2 of a million tokens; {} for the defaults",
    )
    per_layer: bool = Field(
        default=False, description="with `accounting: system`: write operations.csv, each operation of each layer"
    )
    published: str | None = Field(default=None, description="name of a table of published values to compare with")
    plots: list[Plot] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _default_workload(cls, data: Any) -> Any:
        if isinstance(data, dict) and "workload" not in data and "matmuls" not in data:
            return {**data, "workload": {}}
        return data

    @field_validator("schemes", "technologies", "models", "platforms")
    @classmethod
    def _no_duplicates(cls, values: list[Any] | None) -> list[Any] | None:
        names = [value if isinstance(value, str) else value.name for value in values or []]
        repeated = _repeated(names)
        if repeated is not None:
            raise wrong_value(f"duplicate {repeated!r}", "each name once")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.models is None) == (self.matmuls is None):
            wrong = "models and matmuls are both given" if self.models else "neither models nor matmuls is given"
            raise wrong_value(wrong, "one of them")
        if self.matmuls is not None and self.workload is not None:
            raise wrong_value("workload with matmuls", "the tokens as `m` of each matmul", "workload")
        if (self.accounting is Accounting.SYSTEM) != (self.platforms is not None):
            wrong = "platforms without accounting: system" if self.platforms else "accounting: system without platforms"
            raise wrong_value(wrong, "both or neither", "platforms" if self.platforms else "accounting")
        if self.sensitivity and self.accounting is not Accounting.SYSTEM:
            wrong = "sensitivity of an accounting whose prices have no bands"
            raise wrong_value(wrong, "accounting: system", "sensitivity")
        self._check_costs()
        if self.per_layer and self.accounting is not Accounting.SYSTEM:
            raise wrong_value("per_layer of an accounting without layers", "accounting: system", "per_layer")
        self._check_mapped()
        if any(plot.kind == "published" for plot in self.plots) and self.published is None:
            raise wrong_value("a plot of kind 'published' without `published`", "`published`, the table", "plots")
        self._check_plots()
        if self.workload is not None:
            sizes = (self.workload.prompt_tokens, self.workload.new_tokens, self.workload.batch)
            for key, values in zip(("prompt_tokens", "new_tokens", "batch"), map(swept, sizes), strict=True):
                if _repeated(values) is not None:
                    raise wrong_value(f"duplicate value {_repeated(values)}", "each value once", "workload", key)
        if self.cases > MAX_CASES:
            raise wrong_value(f"the sweep has {self.cases} cases", f"at most {MAX_CASES}", "workload")
        return self

    def _check_costs(self) -> None:
        """Reject costs of what has no tokens or no energy, and sweeps of too many rows."""
        if self.costs is None:
            return
        if self.accounting is not Accounting.SYSTEM:
            raise wrong_value("costs of an accounting that leaves out most energy", "accounting: system", "costs")
        if self.matmuls is not None:
            raise wrong_value("costs of matmuls, which have no tokens", "models", "costs")
        rows = self.cases * len(self.costs.combinations)
        if rows > MAX_CASES:
            raise wrong_value(f"the sweep has {rows} costs", f"at most {MAX_CASES}", "costs")

    def _check_mapped(self) -> None:
        """Reject sizes beyond the mapping search."""
        if self.accounting is not Accounting.SYSTEM:
            return
        expected = f"at most {MAX_MAPPED} with accounting: system"
        for i, matmul in enumerate(self.matmuls or ()):
            for key in ("k", "n"):
                if getattr(matmul, key) > MAX_MAPPED:
                    raise wrong_value(f"got {getattr(matmul, key)}", expected, "matmuls", i, key)
        workload = self.workload or RequestSizes()
        context = max(swept(workload.prompt_tokens)) + max(swept(workload.new_tokens))
        if context > MAX_MAPPED:
            raise wrong_value(f"a context of {context} tokens", expected, "workload")

    def _check_plots(self) -> None:
        """Reject plots of values that the experiment does not have."""
        system = self.accounting is Accounting.SYSTEM
        workload = self.workload or RequestSizes()
        for i, plot in enumerate(self.plots):
            ratio = isinstance(plot, RatioPlot) or (
                isinstance(plot, SweepPlot) and plot.quantity == "ratio_to_baseline"
            )
            if ratio and self.baseline is None:
                raise wrong_value(
                    f"a plot of kind {plot.kind!r} of ratios without `baseline`", "`baseline`", "plots", i
                )
            timed = isinstance(plot, SweepPlot) and plot.quantity in ("latency_s", "tokens_per_s", "memory_bytes")
            if (plot.kind in SYSTEM_PLOTS or timed) and not system:
                wrong = f"a plot of kind {plot.kind!r} requires values that accounting {self.accounting.value} lacks"
                raise wrong_value(wrong, "accounting: system", "plots", i)
            if isinstance(plot, LossPlot | SweepPlot | MemoryPlot) and self.matmuls is not None:
                raise wrong_value(f"a plot of kind {plot.kind!r} does not support matmuls", "models", "plots", i)
            if isinstance(plot, TornadoPlot) and not self.sensitivity:
                raise wrong_value("a plot of kind 'tornado' without `sensitivity`", "sensitivity: true", "plots", i)
            if isinstance(plot, LossPlot) and not self._has_law():
                expected = "a scheme with FP16 or binary weights: theirs are the papers' scaling laws"
                raise wrong_value("a plot of kind 'loss_vs_energy' without a scaling law", expected, "plots", i)
            if isinstance(plot, AccuracyPlot):
                self._check_scores(plot, i)
            self._check_at(plot, i)
            phase = getattr(plot, "phase", None)
            if phase not in (None, "prefill") and 0 in swept(workload.new_tokens):
                raise wrong_value(
                    f"a plot of {phase} without new tokens", "new_tokens >= 1 in the workload", "plots", i
                )

    def _check_at(self, plot: Plot, i: int) -> None:
        """Reject a workload of a plot that is not run."""
        if plot.at is None:
            return
        if self.workload is None:
            raise wrong_value("a workload of matmuls", "a plot without `at`", "plots", i, "at")
        for axis, value in plot.at.model_dump(exclude_none=True).items():
            if isinstance(plot, SweepPlot) and plot.over == axis:
                raise wrong_value(f"the plot is over {axis}", "another key", "plots", i, "at", axis)
            values = swept(getattr(self.workload, axis))
            if value not in values:
                raise wrong_value(f"{value} is not in the workload", choices(map(str, values)), "plots", i, "at", axis)

    def _check_scores(self, plot: AccuracyPlot, i: int) -> None:
        """Reject a benchmark without a published score of any model in any scheme of the experiment."""
        scored = {(each.model, each.scheme) for each in accuracies() if each.benchmark == plot.benchmark}
        if not any((model, scheme) in scored for model in self.models or () for scheme in self.schemes):
            wrong = f"a plot of {plot.benchmark}, which no model was published with in these schemes"
            listed = dict.fromkeys(f"{model} in {scheme}" for model, scheme in sorted(scored))
            raise wrong_value(wrong, choices(listed, 20), "plots", i, "benchmark")

    def _has_law(self) -> bool:
        """Return whether a scheme's weights have a scaling law; an unknown name is reported elsewhere."""
        resolved = [schemes().get(entry) if isinstance(entry, str) else entry for entry in self.schemes]
        return any(scheme is None or scheme.weights in laws() for scheme in resolved)

    @property
    def size(self) -> str:
        """Number of cases, as text."""
        return counted(self.cases, "case")

    @property
    def cases(self) -> int:
        """Number of cases of the sweep."""
        count = len(self.models or self.matmuls or ()) * len(self.schemes) * len(self.technologies)
        count *= len(self.platforms or [""])
        if self.matmuls is None:
            workload = self.workload or RequestSizes()
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
