"""Losses over the energy of a token: the models of a ladder, and published ones."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE
from bitjoule.energy_models.papers.accuracies import accuracies
from bitjoule.experiments.energy import runner
from bitjoule.experiments.energy.resolve import Resolved
from bitjoule.experiments.exploration.dominance import pareto_set
from bitjoule.sim.quality.equal_loss import Curve, common_losses, equal_loss, reaching

MACHINE = ("technology", "platform")
ENERGY = ("energy_per_token_low_j", "energy_per_token_j", "energy_per_token_high_j")
COMPARED_AT = 3  # losses, the same for all formats of a machine
EQUAL_COLUMNS = (
    "experiment", *MACHINE, "format", "loss_nats_per_byte", "ratio_to_baseline", "ratio_low", "ratio_high", "level",
)  # fmt: skip
PUBLISHED_COLUMNS = (
    "experiment", *MACHINE, "model", "parameters", "scheme", "benchmark", "printed", "loss_nats_per_token", *ENERGY,
    "pareto", "source", "where",
)  # fmt: skip


class Energies(NamedTuple):
    """Tables of losses over energies.

    Parameters
    ----------
    summary
        That of the losses, a row for each machine, with the energy of a generated token.
    equal
        Ratios of energies at equal losses, of which `level` 1 is the least; columns `EQUAL_COLUMNS`.
    published
        Columns `PUBLISHED_COLUMNS`.
    """

    summary: pd.DataFrame
    equal: pd.DataFrame
    published: pd.DataFrame


def with_energies(
    name: str, losses: pd.DataFrame, resolved: Resolved, schemes: dict[str, str], baseline: str, benchmark: str | None
) -> Energies:
    """Return losses over energies.

    Parameters
    ----------
    name
        Of the experiment.
    losses
        From `bitjoule.experiments.quality.losses.loss_table`.
    resolved
        The energy experiment of the shapes of the rungs, named as these are, and of published models.
    schemes
        Of the formats and methods; what has none is left out.
    baseline
        Format of the ratios.
    benchmark
        Published perplexity.
    """
    counted = runner.run(resolved).summary
    decode = counted[counted["phase"] == DECODE].astype({"model": str, "scheme": str})
    tokens = decode["energy_j"] / decode["energy_per_token_j"]
    decode = decode.assign(
        energy_per_token_low_j=decode["energy_low_j"] / tokens, energy_per_token_high_j=decode["energy_high_j"] / tokens
    )[["model", "parameters", "scheme", *MACHINE, *ENERGY]]
    chosen = losses[losses["format"].isin(list(schemes))]
    chosen = chosen.assign(scheme=chosen["format"].map(schemes))
    at_rung = decode.drop(columns="parameters").rename(columns={"model": "rung"})
    summary = chosen.merge(at_rung, on=["rung", "scheme"], how="left", sort=False)
    summary["pareto"] = _pareto(summary, "loss_nats_per_byte")
    return Energies(summary, _equal(name, summary, baseline), _published(name, decode, benchmark))


def _pareto(table: pd.DataFrame, column: str) -> "pd.Series[bool]":
    marked = pd.Series(False, index=table.index)
    axes = ["energy_per_token_j", column]
    for _, group in table.dropna(subset=axes).groupby(list(MACHINE), sort=False, observed=True):
        marked.loc[group.index] = pareto_set(group[axes].to_numpy(float))
    return marked


def curve(rows: pd.DataFrame) -> Curve:
    """Return the sizes of one format on one machine.

    Parameters
    ----------
    rows
        Of the summary.
    """
    rows = rows.dropna(subset=["loss_nats_per_byte"]).sort_values("parameters")
    reach = (rows["loss_high_nats_per_byte"] - rows["loss_nats_per_byte"]).fillna(0.0)
    return Curve(
        rows[list(ENERGY)].to_numpy(float).T, rows["loss_nats_per_byte"].to_numpy(float), reach.to_numpy(float)
    )


def _equal(name: str, summary: pd.DataFrame, baseline: str) -> pd.DataFrame:
    rows = []
    for machine, group in summary.groupby(list(MACHINE), sort=False, observed=True):
        curves = {label: curve(group[group["format"] == label]) for label in dict.fromkeys(group["format"])}
        curves = reaching({label: each for label, each in curves.items() if len(each.loss)}, baseline)
        for label, other in curves.items():
            losses = common_losses(list(curves.values()), COMPARED_AT) if label != baseline else ()
            rows += [
                (name, *machine, label, *equal_loss(curves[baseline], other, float(loss)), level)
                for level, loss in enumerate(losses, 1)
            ]
    return pd.DataFrame(rows, columns=list(EQUAL_COLUMNS))


def _published(name: str, decode: pd.DataFrame, benchmark: str | None) -> pd.DataFrame:
    scores = [
        (each.model, each.scheme, each.benchmark, each.printed, float(np.log(each.score)), each.source, each.where)
        for each in accuracies()
        if each.benchmark == benchmark
    ]
    columns = ["model", "scheme", "benchmark", "printed", "loss_nats_per_token", "source", "where"]
    table = decode.merge(pd.DataFrame(scores, columns=columns), on=["model", "scheme"], how="inner")
    table = table.assign(experiment=name, pareto=False)
    table["pareto"] = _pareto(table, "loss_nats_per_token")
    return table[list(PUBLISHED_COLUMNS)]
