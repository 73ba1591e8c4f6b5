"""Scaling laws of the formats of a ladder, beside those of the papers."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bitjoule.energy_models.papers.scaling import BILLION
from bitjoule.energy_models.papers.scaling import laws as papers_laws
from bitjoule.energy_models.papers.scaling import loss as papers_loss
from bitjoule.sim.quality.laws import FORMS, MILLION, Estimate, Law, fit, size_factor
from bitjoule.sim.quality.tables import Model

PAPER = "paper"
ESTIMATES = ("a_nats", "exponent", "floor_nats", "size_factor")
LAW_COLUMNS = (
    "experiment", "form", "format", *(f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high")),
    "factor_at_parameters", "deviation", "lack_of_fit_p", "rungs", "trainings", "smallest", "largest", "source",
)  # fmt: skip
NONE = Estimate(math.nan, math.nan, math.nan)


def law_table(name: str, models: Sequence[Model], baseline: str) -> pd.DataFrame:
    """Return the laws of each format: a row for each form that its sizes allow, then those that papers fitted.

    Parameters
    ----------
    name
        Of the experiment.
    models
        Those that were trained count.
    baseline
        Format of `size_factor`, at the largest size that both have.

    Returns
    -------
    DataFrame
        Columns `LAW_COLUMNS`. N counts millions of parameters in all rows; ends of intervals that the data do not bound
        are 0 or infinite.
    """
    rows = [*_fitted(name, models, baseline), *_published(name)]
    return pd.DataFrame(rows, columns=list(LAW_COLUMNS))


def fitted(models: Sequence[Model], form: str) -> dict[str, Law]:
    """Return the law of each format whose sizes allow one.

    Parameters
    ----------
    models
        Those that were trained count.
    form
        Of `bitjoule.sim.quality.laws.FORMS`.
    """
    by_format: dict[str, Law] = {}
    for label in dict.fromkeys(model.format_name for model in models if model.trained):
        size, loss = points(models, label)
        law = fit(form, size, loss, exponent_of(label)[0])
        if law is not None:
            by_format[label] = law
    return by_format


def points(models: Sequence[Model], label: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return parameters and losses of the trainings of a format that did not diverge.

    Parameters
    ----------
    models, label
        The models, and the format.
    """
    found = [
        (model.parameters, model.loss)
        for model in models
        if model.trained and model.format_name == label and not math.isnan(model.loss)
    ]
    size, loss = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return size, loss


def exponent_of(label: str) -> tuple[float, str]:
    """Return alpha of the paper's law for a format, or for FP16 where no paper has one, and the weights it is of.

    Parameters
    ----------
    label
        Of the format.
    """
    weights = label if label in papers_laws() else "fp16"
    return -papers_laws()[weights].b, weights


def _fitted(name: str, models: Sequence[Model], baseline: str) -> Iterator[tuple[Any, ...]]:
    for form in FORMS:
        by_format = fitted(models, form)
        for label, law in by_format.items():
            size, _ = points(models, label)
            factor, at = NONE, math.nan
            if form == "power" and baseline in by_format and label != baseline:
                at = min(float(points(models, each)[0].max()) for each in (label, baseline))
                factor = size_factor(law, by_format[baseline], at)
            source = f"exponent of {exponent_of(label)[1]} weights in the paper" if form == "paper_exponent" else ""
            yield (
                name, form, label, *law.a, *law.exponent, *law.floor, *factor, at, law.deviation, law.lack_of_fit_p,
                len(set(size.tolist())), len(size), size.min(), size.max(), source,
            )  # fmt: skip


def _published(name: str) -> Iterator[tuple[Any, ...]]:
    every = papers_laws()
    base = every["fp16"]
    for weights, law in every.items():
        alpha = -law.b
        a = law.a * (BILLION / MILLION) ** alpha
        at = min(base.largest_b, law.largest_b) * BILLION
        factor = math.nan
        wanted = papers_loss(base, at)
        if weights != "fp16" and wanted > law.c:
            factor = ((wanted - law.c) / law.a) ** (1 / law.b) * BILLION / at
        yield (
            name, PAPER, weights, a, math.nan, math.nan, alpha, math.nan, math.nan, law.c, math.nan, math.nan, factor,
            math.nan, math.nan, at, math.nan, math.nan, math.nan, math.nan, law.smallest_b * BILLION,
            law.largest_b * BILLION, "wang2023bitnet",
        )  # fmt: skip
