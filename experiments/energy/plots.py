"""What the file of an energy experiment may say about its plots."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from bitjoule.energy_models.inputs.plugins import Plugin, plugins
from bitjoule.energy_models.inputs.validation import OneOf, Strict
from bitjoule.experiments.output.columns import PHASES

PhaseName = Annotated[str, OneOf(lambda: PHASES)]


class AnyPlot(Strict):
    """What every plot has: its kind, a text that no other has."""

    if TYPE_CHECKING:  # each plot's own field, in its place in an experiment that is written out
        kind: str

    def needs(self) -> frozenset[str]:
        """Return what is drawn beside the summary: fields of `bitjoule.experiments.energy.frames.PlotFrames`."""
        return frozenset()


class PhasePlot(AnyPlot):
    """What plots of one phase share."""

    phase: PhaseName | None = Field(
        default=None, description="phase; default: request if there are new tokens, otherwise prefill"
    )


class EnergyPlot(PhasePlot):
    """Energy over parameters, log-log, one line a scheme, one panel a technology and platform."""

    kind: Literal["energy_vs_size"]
    per_token: bool = Field(default=False, description="energy per token instead of per phase")


class RatioPlot(PhasePlot):
    """Baseline energy over ours, one line a scheme, one panel a technology and platform."""

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
    """One quantity over a value of the workload, one line a scheme, one panel a technology and platform."""

    kind: Literal["sweep"]
    over: Literal["prompt_tokens", "new_tokens", "batch"]
    quantity: Literal["energy_per_token_j", "ratio_to_baseline", "latency_s", "tokens_per_s", "memory_bytes"] = Field(
        default="energy_per_token_j", description="column of summary.csv"
    )


class RooflinePlot(PhasePlot):
    """Operations a second over operations a byte of off-chip traffic, under each platform's roof."""

    kind: Literal["roofline"]

    def needs(self) -> frozenset[str]:
        """Return the points and the roofs."""
        return frozenset({"roofline", "roofs"})


class LossPlot(PhasePlot):
    """The loss that the papers' scaling laws give over the energy of a token, one line a scheme that has a law."""

    kind: Literal["loss_vs_energy"]

    def needs(self) -> frozenset[str]:
        """Return the losses."""
        return frozenset({"losses"})


class MemoryPlot(AnyPlot):
    """Stacked bytes that must be held: weights, embedding and head, KV cache, activations."""

    kind: Literal["memory"]


OURS = (EnergyPlot, RatioPlot, ComponentsPlot, PublishedPlot, SweepPlot, RooflinePlot, LossPlot, MemoryPlot)
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
    """Stands for our plots and those of other packages, which are looked up when the first experiment is read."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        contributed = [plot_module(plugin).Plot for plugin in plugins(GROUP).values()]
        every = reduce(or_, [*OURS, *contributed])
        return handler.generate_schema(Annotated[every, Field(discriminator="kind")])


Plot = Annotated[AnyPlot, _EveryPlot()]
SYSTEM_PLOTS = frozenset({"roofline", "memory"})  # time, traffic and bytes: only the system accounting knows them
