"""Runs a gates experiment: measures each array in each library's cells with each stimulus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError, Problem, split_message
from bitjoule.experiments.names.libraries import LIBERTY
from bitjoule.experiments.netlists.schema import ArrayDesign, GatesInput, GatesPlot
from bitjoule.gates.calibration.calibration import activation_format, weight_format
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import find_library, fingerprints, node_nm, short_name
from bitjoule.gates.liberty.requirements import check_library
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.power.parts import PARTS
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.gates.stimuli.texts import check_operands

Progress = Callable[[int, int, str], None]


class MeasuredCase(NamedTuple):
    """A measurement and what it is of.

    Parameters
    ----------
    library, node_nm
        The cells, and their node if it is known.
    array
        The array.
    measurement
        What it takes.
    """

    library: str
    node_nm: float | None
    array: ArrayDesign
    measurement: Measurement


@dataclass(frozen=True)
class GatesResult:
    """What a gates experiment gave.

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
    unread
        What of the libraries is not read.
    """

    name: str
    description: str
    plots: tuple[GatesPlot, ...]
    results: pd.DataFrame
    summary: pd.DataFrame
    inputs: Mapping[str, str]
    unread: tuple[str, ...] = ()


def open_libraries(given: GatesInput) -> dict[str, Library]:
    """Return an experiment's libraries by the names that its tables give them.

    Parameters
    ----------
    given
        The experiment.

    Raises
    ------
    InputError
        Files are not Liberty, are of several corners, or lack a kind of cell; with a problem for each library.
    """
    libraries: dict[str, Library] = {}
    problems: list[Problem] = []
    for i, files in enumerate(given.libraries):
        try:
            library = find_library(files)
            check_library(library)
        except LibertyError as error:
            problems.append(given.document.problem(("gates", "libraries", i), *split_message(error, LIBERTY)))
            continue
        same = sum(short_name(other) == short_name(library) for other in libraries.values())
        libraries[short_name(library) + (f" ({same + 1})" if same else "")] = library
    if problems:
        raise InputError(problems)
    return libraries


def check_stimuli(given: GatesInput) -> None:
    """Refuse operands that an array cannot take.

    Parameters
    ----------
    given
        The experiment.

    Raises
    ------
    InputError
        With a problem for each stimulus and array that do not fit.
    """
    problems: list[Problem] = []
    for array in given.arrays:
        for stimulus, at in array.stimuli:
            try:
                check_operands(stimulus, array.config)
            except StimulusError as error:
                problems.append(given.document.problem(at, *split_message(error, "operands")))
    if problems:
        raise InputError(dict.fromkeys(problems))


def run_gates(given: GatesInput, progress: Progress, opened: Mapping[str, Library] | None = None) -> GatesResult:
    """Measure all that an experiment asks for.

    Parameters
    ----------
    given
        The experiment.
    progress
        Called with measurements done, measurements in all and the next one.
    opened
        Its libraries, if they are open already.

    Raises
    ------
    InputError
        A library's files are not Liberty, or a stimulus does not suit an array.
    NetlistError
        A netlist computes something else than NumPy.
    """
    libraries = open_libraries(given) if opened is None else opened
    effort = Effort(**given.experiment.gates.effort.model_dump())
    found: list[MeasuredCase] = []
    for name, library in libraries.items():
        for array in given.arrays:
            for stimulus, at in array.stimuli:
                progress(len(found), given.measurements, f"{name}, {array.name}, {stimulus}")
                try:
                    measurement = measure(array.config, library, stimulus, effort)
                except StimulusError as error:
                    raise InputError([given.document.problem(at, *split_message(error, "operands"))]) from None
                found.append(MeasuredCase(name, node_nm(library), array, measurement))
    progress(len(found), given.measurements, "")
    inputs = dict(given.inputs)
    for library in libraries.values():
        inputs |= fingerprints(library)
    experiment = given.experiment
    return GatesResult(
        experiment.name,
        experiment.description,
        tuple(experiment.plots),
        results_table(experiment.name, found),
        summary_table(experiment.name, found),
        inputs,
        tuple(f"{name}: {text}" for name, library in libraries.items() for text in library.unread),
    )


def summary_table(experiment: str, found: Sequence[MeasuredCase]) -> pd.DataFrame:
    """Return a row for each measurement.

    Parameters
    ----------
    experiment
        Its name.
    found
        The measurements.
    """
    rows = []
    for one in found:
        measurement, config = one.measurement, one.array.config
        low, nominal, high = measurement.band_fj
        per_mac = {
            "energy_fj": measurement.counted_fj, "energy_low_fj": low, "energy_high_fj": high, "nominal_fj": nominal,
            "settled_fj": measurement.settled_fj,
            "total_fj": measurement.total_fj, "wire_fj": measurement.wire_fj, "clock_fj": measurement.clock_fj,
            "error_fj": measurement.error_fj, "area_um2": measurement.area_um2, "leakage_nw": measurement.leakage_nw,
        }  # fmt: skip
        rows.append(
            {
                **_case(experiment, one),
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
            }
        )
    return pd.DataFrame(rows)


def results_table(experiment: str, found: Sequence[MeasuredCase]) -> pd.DataFrame:
    """Return a row for each measurement and part; the energies of a measurement add up to its `energy_fj`.

    Parameters
    ----------
    experiment
        Its name.
    found
        The measurements.
    """
    return pd.DataFrame(
        {
            **_case(experiment, one),
            "part": part,
            "energy_fj": energy_fj / one.measurement.macs,
            "settled_fj": one.measurement.parts_settled_fj.get(part, 0.0) / one.measurement.macs,
            "area_um2": one.measurement.parts_um2.get(part, 0.0) / one.measurement.macs,
        }
        for one in found
        for part, energy_fj in one.measurement.parts_fj.items()
    )


def shown_cases(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measurements whose parts are shown: of one array all, of several arrays each with its first stimulus.

    Parameters
    ----------
    summary
        Of an experiment.
    """
    one = len(set(summary["array"])) == 1
    return summary if one else summary.groupby(["library", "array"], sort=False).head(1)


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
        Indexed by library, array and stimulus, in the order of `cases`; a column for each part that takes anything.
    """
    keys = ["library", "array", "stimulus"]
    wanted = list(cases[keys].itertuples(index=False, name=None))
    taking = results[results["energy_fj"] != 0]
    known = dict.fromkeys([*PARTS, *taking["part"]])
    values = {tuple(row[:4]): row[4] for row in taking[[*keys, "part", column]].itertuples(index=False, name=None)}
    parts = [part for part in known if part in set(taking["part"])]
    table = [[values.get((*case, part), 0.0) for part in parts] for case in wanted]
    return pd.DataFrame(table, index=pd.MultiIndex.from_tuples(wanted, names=keys), columns=parts)


def _case(experiment: str, one: MeasuredCase) -> dict[str, object]:
    return {
        "experiment": experiment,
        "library": one.library,
        "node_nm": float("nan") if one.node_nm is None else one.node_nm,
        "array": one.array.name,
        "stimulus": one.measurement.stimulus,
    }
