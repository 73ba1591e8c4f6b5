"""The output of a run that reports and plots read: tables, and the names in them. Nothing is computed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.papers.footprint import Overhead
from bitjoule.experiments.energy.plots import Plot
from bitjoule.experiments.energy.schema import Baseline


@dataclass(frozen=True, kw_only=True)
class PlotFrames:
    """Tables that plots show in addition to the summary; empty where no plot of the experiment needs them.

    Parameters
    ----------
    actions
        The long table of the first workload, and of those that plots select by `at`.
    papers
        The summary of these workloads, counted as the papers count.
    limits
        For each technology and scheme the ratio to the baseline of one MAC, the limit for large models.
    roofline
        For each case and phase, `bitjoule.experiments.energy.tables.rooflines.points`.
    roofs
        For each technology, platform and scheme, `bitjoule.experiments.energy.tables.rooflines.roofs`.
    losses
        For each model and scheme with a scaling law, `bitjoule.experiments.energy.tables.losses.losses`.
    accuracies
        For each case and phase with a published score, `bitjoule.experiments.energy.tables.accuracies.accuracy_table`.
    """

    actions: pd.DataFrame
    papers: pd.DataFrame
    limits: pd.DataFrame
    roofline: pd.DataFrame
    roofs: pd.DataFrame
    losses: pd.DataFrame
    accuracies: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The tables of one run.

    Parameters
    ----------
    name, description
        Of the experiment.
    accounting
        Its accounting.
    bare
        Whether its models are bare matmuls.
    baseline
        Denominator of the ratios.
    workload
        Values of batch, prompt tokens and new tokens; none of bare matmuls.
    compared
        Whether it is compared with printed numbers.
    requested
        The plots that it requests.
    models
        Columns family, parameters and unit, by name, in the experiment's order; the unit of a request is a token, or an
        image.
    formats
        Columns kind and variant, by scheme; see `bitjoule.experiments.energy.tables.families`.
    schemes, technologies, platforms
        Names, in the experiment's order; without platforms, one empty name.
    machines
        Name of the machine that runs each scheme on each platform: columns platform, scheme, machine.
    unmeasured
        Kinds of MAC that a measured technology prices by operators: columns technology, kind.
    element_wise
        Units in which element-wise work is paid, columns `ELEMENT_WISE_COLUMNS`;
        `bitjoule.experiments.energy.uncertainty.element_wise`.
    summary
        A row for each case and phase; columns `SUMMARY_COLUMNS`. A case with both phases has a third row, ``request``,
        their sum. Columns that the accounting does not compute are empty.
    comparison
        Comparison with printed numbers; empty without them. See `bitjoule.experiments.energy.tables.comparison`.
    overhead
        Overhead added to weights and tables for the comparison with printed memories; none without these.
    memory
        Bytes that each case needs, by content; empty unless the system accounting is used.
    bands
        Whether each comparison holds within the prices' bands; see `bitjoule.experiments.energy.tables.bands`. Empty
        without a baseline or the system accounting.
    bounds
        What bounds the time of each row of `summary`: columns `CASE_COLUMNS` and `BOUND_COLUMNS`. Empty unless the
        system accounting is used.
    components
        Time and energy by component, columns `COMPONENT_COLUMNS`, of every scheme at the last model and technology,
        `shown_platform` and the first workload; `bitjoule.experiments.energy.tables.components`. Empty unless the
        system accounting is used.
    sensitivity
        Effect of each price with a band and of each assumption; see
        `bitjoule.experiments.energy.uncertainty.sensitivity`. Empty unless asked for.
    shown_platform
        The platform whose cases a summary shows first: the first of the user's own, else the first; empty without any.
    without_bands
        Names of the technologies whose operations all copy one source, and have no bands.
    own_prices
        Prices of technologies of the user's own; see `bitjoule.experiments.energy.uncertainty.own_prices`.
    own_amounts
        Amounts of platforms of the user's own; see `bitjoule.experiments.energy.uncertainty.own_amounts`.
    varied
        The assumptions that were varied for it; see `bitjoule.experiments.energy.uncertainty.sensitivity.varied_table`.
    costs
        Costs of each row of `summary`, columns `COST_COLUMNS`; empty unless asked for.
    dram
        Energies of DRAM devices by part; see `bitjoule.experiments.energy.tables.dram`. Empty without a device.
    levels
        Traffic of memory levels; see `bitjoule.experiments.energy.tables.levels`. Empty without any.
    plots
        Further tables that the plots show.
    """

    name: str
    description: str
    accounting: Accounting
    bare: bool
    baseline: Baseline | None
    workload: Mapping[str, Sequence[int]] | None
    compared: bool
    requested: tuple[Plot, ...]
    models: pd.DataFrame
    formats: pd.DataFrame
    schemes: tuple[str, ...]
    technologies: tuple[str, ...]
    platforms: tuple[str, ...]
    machines: pd.DataFrame
    unmeasured: pd.DataFrame
    element_wise: pd.DataFrame
    summary: pd.DataFrame
    comparison: pd.DataFrame
    overhead: Overhead | None
    memory: pd.DataFrame
    bands: pd.DataFrame
    bounds: pd.DataFrame
    components: pd.DataFrame
    sensitivity: pd.DataFrame
    varied: pd.DataFrame
    shown_platform: str
    without_bands: tuple[str, ...]
    own_prices: pd.DataFrame
    own_amounts: pd.DataFrame
    costs: pd.DataFrame
    dram: pd.DataFrame
    levels: pd.DataFrame
    plots: PlotFrames
