"""Metrics of designs: what objectives and constraints may name, each from energies, times, area and memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats

NOMINAL, ENDS = 1, 3  # of prices: low, nominal, high
REQUEST, TOKENS = 0, 1  # spans of a request: all of it; the phase that generates, or of a request without one, prefill
SPANS = 2


class Amounts(NamedTuple):
    """Amounts of designs from which metrics follow; NaN of a design without a result.

    Parameters
    ----------
    energy_j
        At low, nominal and high prices, shape (designs, models, spans, ends).
    time_s
        Shape (designs, models, spans).
    tokens
        Of each span, shape (designs, models, spans).
    first_token_s
        Latency of prefill, shape (designs, models).
    memory_bytes, capacity_bytes
        That a request needs, and that the off-chip memory holds; shape (designs, models).
    area_mm2
        Of the chip, shape (designs, models).
    leakage_w
        Of the chip, nominal, shape (designs, models).
    """

    energy_j: Floats
    time_s: Floats
    tokens: Floats
    first_token_s: Floats
    memory_bytes: Floats
    capacity_bytes: Floats
    area_mm2: Floats
    leakage_w: Floats

    def at(self, end: int) -> "Amounts":
        """Return the amounts with the energies of one end of the prices in place of the nominal ones.

        Parameters
        ----------
        end
            0 for low, 2 for high.
        """
        return self._replace(energy_j=np.repeat(self.energy_j[..., end : end + 1], ENDS, axis=3))


@dataclass(frozen=True)
class Metric:
    """A metric.

    Parameters
    ----------
    label, unit
        For axes and headers; the unit is empty for a pure number.
    maximised
        Whether more is better.
    of
        Returns it at nominal prices, shape (designs, models).
    span
        Whose energy it is proportional to, or inversely proportional if it is maximised; none without energy.
    """

    label: str
    unit: str
    of: Callable[[Amounts], Floats]
    maximised: bool = False
    span: int | None = None


def _energy(span: int) -> Callable[[Amounts], Floats]:
    return lambda amounts: amounts.energy_j[:, :, span, NOMINAL]


_request_j = _energy(REQUEST)


METRICS: Mapping[str, Metric] = MappingProxyType({
    "energy_j": Metric("energy per request", "J", _request_j, span=REQUEST),
    "energy_per_token_j": Metric(
        "energy per token", "J", lambda a: _energy(TOKENS)(a) / a.tokens[..., TOKENS], span=TOKENS
    ),
    "tokens_per_joule": Metric(
        "tokens per joule", "1/J", lambda a: a.tokens[..., TOKENS] / _energy(TOKENS)(a), maximised=True, span=TOKENS
    ),
    "latency_s": Metric("latency per request", "s", lambda a: a.time_s[..., REQUEST]),
    "first_token_s": Metric("time to first token", "s", lambda a: a.first_token_s),
    "tokens_per_s": Metric("tokens per second", "1/s", lambda a: a.tokens[..., TOKENS] / a.time_s[..., TOKENS], True),
    "watts": Metric("mean power", "W", lambda a: _request_j(a) / a.time_s[..., REQUEST], span=REQUEST),
    "energy_delay_j_s": Metric(
        "energy-delay product", "J s", lambda a: _request_j(a) * a.time_s[..., REQUEST], span=REQUEST
    ),
    "area_mm2": Metric("area", "mm²", lambda a: a.area_mm2),
    "leakage_w": Metric("leakage of the chip", "W", lambda a: a.leakage_w),
    "memory_bytes": Metric("off-chip memory needed", "B", lambda a: a.memory_bytes),
    "memory_share": Metric("share of the off-chip memory", "", lambda a: a.memory_bytes / a.capacity_bytes),
})  # fmt: skip


def metric_values(amounts: Amounts) -> dict[str, Floats]:
    """Return every metric, shape (designs, models) each.

    Parameters
    ----------
    amounts
        Of designs.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: metric.of(amounts) for name, metric in METRICS.items()}


def of_design(values: Floats) -> Floats:
    """Return a metric of designs: the geometric mean over their models, in which each counts the same.

    Parameters
    ----------
    values
        Shape (designs, models); what is not positive gives NaN.
    """
    if values.shape[1] == 1:
        return values[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(np.where(values > 0, values, np.nan)).mean(axis=1))
    return np.asarray(mean, dtype=np.float64)


def minimised(name: str, values: Floats) -> Floats:
    """Return a metric as what is to be minimised: negative if more is better.

    Parameters
    ----------
    name, values
        Of the metric.
    """
    return -values if METRICS[name].maximised else values
