"""What the file of an energy experiment may say about its plots."""

from typing import Annotated, Literal

from pydantic import Field

from bitjoule.energy_models.validation import Strict

PhaseName = Literal["prefill", "decode", "request"]


class _PhasePlot(Strict):
    """What plots of one phase share."""

    phase: PhaseName | None = Field(
        default=None, description="default: request where there are new tokens, else prefill"
    )


class EnergyPlot(_PhasePlot):
    """Energy over parameters, log-log, one line a scheme, one panel a technology and platform."""

    kind: Literal["energy_vs_size"]
    per_token: bool = Field(default=False, description="energy of a token instead of the whole phase")


class RatioPlot(_PhasePlot):
    """Baseline energy over ours, one line a scheme, one panel a technology and platform."""

    kind: Literal["ratio_vs_size"]
    arithmetic: bool = Field(default=False, description="beside it, the ratio that the papers' accounting gives")


class ComponentsPlot(_PhasePlot):
    """Stacked energy of each model and scheme."""

    kind: Literal["components"]
    by: Literal["component", "action"] = Field(default="component", description="what is stacked")
    share: bool = Field(default=True, description="per cent of the total instead of joules")


class PublishedPlot(Strict):
    """Ours against the printed numbers, with residuals."""

    kind: Literal["published"]


class SweepPlot(_PhasePlot):
    """One quantity over a value of the workload, one line a scheme, one panel a technology and platform."""

    kind: Literal["sweep"]
    over: Literal["prompt_tokens", "new_tokens", "batch"]
    quantity: Literal["energy_per_token_j", "ratio_to_baseline", "latency_s", "tokens_per_s", "memory_bytes"] = Field(
        default="energy_per_token_j", description="a column of summary.csv"
    )


class RooflinePlot(_PhasePlot):
    """Operations a second over operations a byte of off-chip traffic, under each platform's roof."""

    kind: Literal["roofline"]


class LossPlot(_PhasePlot):
    """The loss that the papers' scaling laws give over the energy of a token, one line a scheme that has a law."""

    kind: Literal["loss_vs_energy"]


class MemoryPlot(Strict):
    """Stacked bytes that must be held: weights, embedding and head, KV cache, activations."""

    kind: Literal["memory"]


Plot = Annotated[
    EnergyPlot | RatioPlot | ComponentsPlot | PublishedPlot | SweepPlot | RooflinePlot | LossPlot | MemoryPlot,
    Field(discriminator="kind"),
]
SYSTEM_PLOTS = frozenset({"roofline", "memory"})  # time, traffic and bytes: only the system accounting knows them
