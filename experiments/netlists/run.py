"""Runs a gates experiment: measures each array in each library's cells with each stimulus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError, Problem, split_message
from bitjoule.experiments.names.libraries import LIBERTY
from bitjoule.experiments.netlists.schema import ArrayDesign, GatesInput, GatesPlot
from bitjoule.experiments.output.tables import with_digits
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure
from bitjoule.gates.calibration.terms import activation_format, weight_format
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import find_library, fingerprints, node_nm, short_name
from bitjoule.gates.liberty.requirements import check_library, lacking
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.power.parts import PARTS
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.gates.stimuli.texts import KINDS, check_operands

Progress = Callable[[int, int, str], None]
ERROR_DIGITS = 6  # of a standard error, which is an estimate


class MeasuredCase(NamedTuple):
    """A measurement and its subject.

    Parameters
    ----------
    library, node_nm
        The cells, and their node if it is known.
    array
        The array.
    measurement
        The measurement.
    others
        The same of other netlists of the array, which differ in names alone.
    """

    library: str
    node_nm: float | None
    array: ArrayDesign
    measurement: Measurement
    others: tuple[Measurement, ...] = ()

    def bounds(self, value: Callable[[Measurement], float]) -> tuple[float, float]:
        """Return the least and the greatest of a quantity of all netlists, per MAC.

        Parameters
        ----------
        value
            Returns it.
        """
        values = [value(measurement) / measurement.macs for measurement in (self.measurement, *self.others)]
        return min(values), max(values)


@dataclass(frozen=True)
class GatesResult:
    """The outcome of a gates experiment.

    Parameters
    ----------
    name, description, plots
        Of the experiment.
    results
        The long table: a row for each measurement and part; energy with and without glitches, and area, for each MAC.
    summary
        A row for each measurement; energies, area and leakage for each MAC.
    inputs
        SHA-256 of the experiment's, the configurations' and the libraries' files.
    unread, lacking
        Parts of the libraries that are not read, and cells that they lack.
    warnings
        Of the run.
    """

    name: str
    description: str
    plots: tuple[GatesPlot, ...]
    results: pd.DataFrame
    summary: pd.DataFrame
    inputs: Mapping[str, str]
    unread: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def open_libraries(resolved: GatesInput) -> dict[str, Library]:
    """Return an experiment's libraries, by their names in its tables.

    Parameters
    ----------
    resolved
        The experiment.

    Raises
    ------
    InputError
        Files are not Liberty, are of several corners, or lack a kind of cell; with a problem for each library.
    """
    libraries: dict[str, Library] = {}
    problems: list[Problem] = []
    for i, files in enumerate(resolved.libraries):
        try:
            library = find_library(files)
            check_library(library)
        except LibertyError as error:
            problems.append(resolved.document.problem(("gates", "libraries", i), *split_message(error, LIBERTY)))
            continue
        namesakes = sum(short_name(other) == short_name(library) for other in libraries.values())
        libraries[short_name(library) + (f" ({namesakes + 1})" if namesakes else "")] = library
    if problems:
        raise InputError(problems)
    return libraries


def check_stimuli(resolved: GatesInput) -> None:
    """Reject operands that an array cannot take.

    Parameters
    ----------
    resolved
        The experiment.

    Raises
    ------
    InputError
        With a problem for each stimulus and array that do not fit.
    """
    problems: list[Problem] = []
    for array in resolved.arrays:
        for stimulus, at in array.stimuli:
            try:
                check_operands(stimulus, array.config)
            except StimulusError as error:
                problems.append(resolved.document.problem(at, *split_message(error, KINDS)))
    if problems:
        raise InputError(dict.fromkeys(problems))


def run_gates(resolved: GatesInput, progress: Progress, opened: Mapping[str, Library] | None = None) -> GatesResult:
    """Make all measurements of an experiment.

    Parameters
    ----------
    resolved
        The experiment.
    progress
        Called with measurements done, measurements in all and the next one.
    opened
        Its libraries, if they are already open.

    Raises
    ------
    InputError
        A library's files are not Liberty, or a stimulus does not suit an array.
    NetlistError
        A netlist differs from NumPy.
    """
    libraries = open_libraries(resolved) if opened is None else opened
    effort = Effort(**resolved.experiment.gates.effort.model_dump())
    cases: list[MeasuredCase] = []
    for name, library in libraries.items():
        for array in resolved.arrays:
            for stimulus, at in array.stimuli:
                progress(len(cases), resolved.measurements, f"{name}, {array.name}, {stimulus}")
                try:
                    measurement, *others = (
                        measure(array.config, library, stimulus, effort, names)
                        for names in range(resolved.experiment.gates.netlists)
                    )
                except StimulusError as error:
                    raise InputError([resolved.document.problem(at, *split_message(error, KINDS))]) from None
                cases.append(MeasuredCase(name, node_nm(library), array, measurement, tuple(others)))
    progress(len(cases), resolved.measurements, "")
    inputs = dict(resolved.inputs)
    for library in libraries.values():
        inputs |= fingerprints(library)
    experiment = resolved.experiment
    return GatesResult(
        experiment.name,
        experiment.description,
        tuple(experiment.plots),
        results_table(experiment.name, cases),
        summary_table(experiment.name, cases),
        inputs,
        tuple(f"{name}: {text}" for name, library in libraries.items() for text in library.unread),
        tuple(f"{name}: {text}" for name, library in libraries.items() for text in lacking(library)),
    )


def summary_table(experiment: str, cases: Sequence[MeasuredCase]) -> pd.DataFrame:
    """Return a row for each measurement.

    Parameters
    ----------
    experiment
        Its name.
    cases
        The measurements.
    """
    rows = []
    for case in cases:
        measurement, config = case.measurement, case.array.config
        low, nominal, high = measurement.band_fj
        per_mac = {
            "energy_fj": nominal, "energy_low_fj": low, "energy_high_fj": high,
            "without_glitches_fj": measurement.without_glitches_fj, "settled_fj": measurement.settled_fj,
            "total_fj": measurement.total_fj, "wire_fj": measurement.wire_fj, "clock_fj": measurement.clock_fj,
            "error_fj": measurement.error_fj, "area_um2": measurement.area_um2, "leakage_nw": measurement.leakage_nw,
        }  # fmt: skip
        rows.append(
            {
                **_case(experiment, case),
                "weights": weight_format(config),
                "activations": activation_format(config),
                "accumulation": config.accumulation,
                "lanes": config.lanes,
                "columns": config.columns,
                "tokens": config.tokens,
                "datapath": config.datapath,
                "activation_bits": config.activation_bits,
                "zero_share": measurement.zero_share,
                **{name: value / measurement.macs for name, value in per_mac.items()},
                "cells": measurement.cells,
                "period_ns": measurement.period_ns,
                "netlists": 1 + len(case.others),
                **_bounds(case),
            }
        )
    return with_digits(pd.DataFrame(rows), ERROR_DIGITS, ["error_fj"])


def _bounds(case: MeasuredCase) -> dict[str, float]:
    """Return the least and the greatest of areas and energies, over netlists that differ in names alone."""
    quantities: dict[tuple[str, str], Callable[[Measurement], float]] = {
        ("energy", "fj"): lambda measurement: measurement.counted_fj,
        ("without_glitches", "fj"): lambda measurement: measurement.without_glitches_fj,
        ("area", "um2"): lambda measurement: measurement.area_um2,
    }
    bounds = {}
    for (name, unit), value in quantities.items():
        bounds[f"{name}_least_{unit}"], bounds[f"{name}_greatest_{unit}"] = case.bounds(value)
    return bounds


def results_table(experiment: str, cases: Sequence[MeasuredCase]) -> pd.DataFrame:
    """Return a row for each measurement and part; the energies of a measurement add up to its `energy_fj`.

    Parameters
    ----------
    experiment
        Its name.
    cases
        The measurements.
    """
    return pd.DataFrame(
        {
            **_case(experiment, case),
            "part": part,
            "energy_fj": energy_fj / case.measurement.macs,
            "settled_fj": case.measurement.parts_settled_fj.get(part, 0.0) / case.measurement.macs,
            "area_um2": case.measurement.parts_um2.get(part, 0.0) / case.measurement.macs,
        }
        for case in cases
        for part, energy_fj in case.measurement.parts_fj.items()
    )


def shown_cases(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements whose parts are shown: all of a single array, the first stimulus of each of several.

    Parameters
    ----------
    summary
        Of an experiment.
    """
    single_array = len(set(summary["array"])) == 1
    return summary if single_array else summary.groupby(["library", "array"], sort=False).head(1)


def by_part(results: pd.DataFrame, cases: pd.DataFrame, column: str = "energy_fj") -> pd.DataFrame:
    """Return the parts of a MAC's energy, a row for each measurement.

    Parameters
    ----------
    results
        Of an experiment.
    cases
        Rows of its summary.
    column
        Of `results`.

    Returns
    -------
    DataFrame
        Indexed by library, array and stimulus, in the order of `cases`; a column for each part with any energy.
    """
    keys = ["library", "array", "stimulus"]
    case_keys = list(cases[keys].itertuples(index=False, name=None))
    nonzero = results[results["energy_fj"] != 0]
    part_names = dict.fromkeys([*PARTS, *nonzero["part"]])
    values = {tuple(row[:4]): row[4] for row in nonzero[[*keys, "part", column]].itertuples(index=False, name=None)}
    parts = [part for part in part_names if part in set(nonzero["part"])]
    table = [[values.get((*case, part), 0.0) for part in parts] for case in case_keys]
    return pd.DataFrame(table, index=pd.MultiIndex.from_tuples(case_keys, names=keys), columns=parts)


def _case(experiment: str, case: MeasuredCase) -> dict[str, object]:
    return {
        "experiment": experiment,
        "library": case.library,
        "node_nm": float("nan") if case.node_nm is None else case.node_nm,
        "array": case.array.name,
        "stimulus": case.measurement.stimulus,
    }
