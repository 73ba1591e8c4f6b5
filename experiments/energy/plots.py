"""The schema of plots in the file of an energy experiment."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from bitjoule.energy_models.inputs.plugins import Plugin, plugins
from bitjoule.energy_models.inputs.validation import OneOf, Strict
from bitjoule.energy_models.papers.accuracies import benchmarks
from bitjoule.experiments.names.entries import Count, CountOrNone
from bitjoule.experiments.output.columns import PHASES

PhaseName = Annotated[str, OneOf(lambda: PHASES)]


class At(Strict):
    """One workload of a sweep; what is not given is the first value of its list."""

    batch: Count | None = Field(default=None, description="a value of `workload.batch`")
    prompt_tokens: CountOrNone | None = Field(default=None, description="a value of `workload.prompt_tokens`")
    new_tokens: CountOrNone | None = Field(default=None, description="a value of `workload.new_tokens`")


class AnyPlot(Strict):
    """Base of every plot; the text `kind` identifies it."""

    if TYPE_CHECKING:  # a field of each plot, so that it keeps its position in an inlined experiment
        kind: str
    title: str | None = Field(
        default=None, min_length=1, description="title of the picture; default: the experiment and what is drawn"
    )
    at: At | None = Field(default=None, description="workload that is drawn; default: the first of the sweep")
    models: list[str] | None = Field(
        default=None,
        min_length=1,
        description="names of the models that are drawn; all if none of them is run",
    )

    def needs(self) -> frozenset[str]:
        """Return the tables that it draws besides the summary: fields of `frames.PlotFrames`."""
        return frozenset()


class PhasePlot(AnyPlot):
    """Base of plots of one phase."""

    phase: PhaseName | None = Field(
        default=None, description="phase; default: request if there are new tokens, otherwise prefill"
    )


class EnergyPlot(PhasePlot):
    """Energy over parameters, log-log, one line per scheme, one panel per technology and platform."""

    kind: Literal["energy_vs_size"]
    per_token: bool = Field(default=False, description="energy per token instead of per phase")


class RatioPlot(PhasePlot):
    """Baseline energy over ours, one line per scheme, one panel per technology and platform."""

    kind: Literal["ratio_vs_size"]
    arithmetic: bool = Field(default=False, description="also draw the ratio given by the papers' accounting")

    def needs(self) -> frozenset[str]:
        """Return the tables of limits, and of the papers' accounting."""
        return frozenset({"limits", "papers"} if self.arithmetic else {"limits"})


class ComponentsPlot(PhasePlot):
    """Stacked energy of each model and scheme."""

    kind: Literal["components"]
    by: Literal["component", "action"] = Field(
        default="component", description="quantity by which the bars are stacked"
    )
    share: bool = Field(default=True, description="percentage of the total instead of joules")

    def needs(self) -> frozenset[str]:
        """Return the long table."""
        return frozenset({"actions"})


class PublishedPlot(AnyPlot):
    """Ours against the printed numbers, with residuals."""

    kind: Literal["published"]


class SweepPlot(PhasePlot):
    """One quantity over a value of the workload, one line per scheme, one panel per technology and platform."""

    kind: Literal["sweep"]
    over: Literal["prompt_tokens", "new_tokens", "batch"]
    quantity: Literal["energy_per_token_j", "ratio_to_baseline", "latency_s", "tokens_per_s", "memory_bytes"] = Field(
        default="energy_per_token_j", description="column of summary.csv"
    )


class RooflinePlot(PhasePlot):
    """Operations per second over operations per byte of off-chip traffic, under each platform's roof."""

    kind: Literal["roofline"]

    def needs(self) -> frozenset[str]:
        """Return the points and the roofs."""
        return frozenset({"roofline", "roofs"})


class LossPlot(PhasePlot):
    """The loss by the papers' scaling laws over the energy per token, one line per scheme that has a law."""

    kind: Literal["loss_vs_energy"]

    def needs(self) -> frozenset[str]:
        """Return the losses."""
        return frozenset({"losses"})


class AccuracyPlot(PhasePlot):
    """Published scores over the energy per token, with the schemes that no other beats in both."""

    kind: Literal["accuracy_vs_energy"]
    benchmark: Annotated[str, OneOf(benchmarks)] = Field(description="name in accuracies.csv")

    def needs(self) -> frozenset[str]:
        """Return the scores."""
        return frozenset({"accuracies"})


class MemoryPlot(AnyPlot):
    """Stacked bytes that must be stored: weights, embedding and head, KV cache, activations."""

    kind: Literal["memory"]


class TornadoPlot(PhasePlot):
    """Energy and ratio with one price at a time at its low and its high end, the widest first."""

    kind: Literal["tornado"]


OURS = (
    EnergyPlot, RatioPlot, ComponentsPlot, PublishedPlot, SweepPlot, RooflinePlot, LossPlot, MemoryPlot, TornadoPlot,
    AccuracyPlot,
)  # fmt: skip
GROUP = "bitjoule.plots"
MODULE = "a module with Plot, a class below bitjoule.experiments.energy.plots.AnyPlot whose kind is the entry point's "
MODULE += "name, and draw(plot, frames, theme)"


def plot_module(plugin: Plugin) -> Any:
    """Return the module of a plot that another package contributes.

    Parameters
    ----------
    plugin
        Its entry point.

    Raises
    ------
    PluginError
        It is not such a module.
    """
    module = plugin.load(MODULE)
    schema = getattr(module, "Plot", None)
    if not (isinstance(schema, type) and issubclass(schema, AnyPlot) and callable(getattr(module, "draw", None))):
        raise plugin.error(f"{plugin.value} has no such Plot and draw", MODULE)
    if "kind" not in schema.model_fields or get_args(schema.model_fields["kind"].annotation) != (plugin.name,):
        raise plugin.error(f"the kind of {plugin.value}.Plot is not {plugin.name!r}", MODULE)
    return module


class _EveryPlot:
    """Annotates any of our plots and those of other packages, which are looked up when the first experiment is read."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        contributed = [plot_module(plugin).Plot for plugin in plugins(GROUP).values()]
        union = reduce(or_, [*OURS, *contributed])
        return handler.generate_schema(Annotated[union, Field(discriminator="kind")])


Plot = Annotated[AnyPlot, _EveryPlot()]
SYSTEM_PLOTS = frozenset({"roofline", "memory"})  # time, traffic and bytes: only the system accounting has them
