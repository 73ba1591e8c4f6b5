"""The table of operations: what each matmul and each kind of element-wise work of each group of layers takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import Indices
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.operations import OVER_TIME, Operation, operations
from bitjoule.experiments.energy.blocks import CATEGORIES
from bitjoule.experiments.energy.evaluation import case_columns, categorical, requests_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import BYTE_COLUMNS, FORMAT_COLUMNS, OPERATION_COLUMNS, PJ_PER_J

SIZES = ("m", "k", "n")
TEXTS = ("array", *FORMAT_COLUMNS)
WHOLE_PHASE = {component for component, *_ in OVER_TIME}
CACHED = ("kv_cache_read", "kv_cache_write")


def operation_table(grid: Grid, cases: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Return a row for each case, phase, group of layers and operation, columns `OPERATION_COLUMNS`.

    Parameters
    ----------
    grid
        Every case, of the system accounting.
    cases
        Numbers of those to evaluate, ascending, shape (cases,).
    """
    model, *_ = grid.axis_indices(cases)
    tables = [_of_model(grid, int(index), cases[model == index]) for index in np.unique(model)]
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]


def _of_model(grid: Grid, model: int, cases: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Return the rows of cases of one model."""
    requests, technology, platform = requests_of(grid, cases)
    found = operations(grid.system, model, requests, technology, platform)
    machines, machine_index = _machines(grid, cases)
    blocks = grid.system.models[model].blocks
    order = {name: i for i, name in enumerate(CATEGORIES["component"])}
    last = len(blocks)
    found.sort(key=lambda one: (one.block if one.block >= 0 else last, order[one.component], one.slot))
    pieces = [_rows(one, number, machines, machine_index) for number, one in enumerate(found)]
    column = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    rows = np.lexsort((column["operation"], column["phase"], column["case"]))
    column = {name: values[rows] for name, values in column.items()}
    of = column["operation"]
    layers = ["" if one.block < 0 else blocks[one.block].layers for one in found]
    repeats = [1 if one.block < 0 else blocks[one.block].repeats for one in found]
    table = case_columns(grid, cases[column["case"]], column["phase"].astype(np.int8))
    table["layers"] = _texts(layers, of)
    table["repeats"] = np.array(repeats, dtype=np.int64)[of]
    table["component"] = categorical(np.array([order[one.component] for one in found])[of], CATEGORIES["component"])
    table |= {name: _texts(*_codes(column[name])) for name in TEXTS}
    table["bound_by"] = _texts(["", *BOUNDS], column["bound"])
    table |= {name: column[name] for name in OPERATION_COLUMNS if name in column and name not in table}
    return pd.DataFrame(table, columns=list(OPERATION_COLUMNS), copy=False)


def _rows(
    operation: Operation, number: int, machines: Sequence[Machine], machine_index: Indices
) -> dict[str, NDArray[Any]]:
    """Return the columns of an operation, where it takes time or energy or runs MACs."""
    seconds = operation.seconds.sum(axis=2)
    case, phase = np.nonzero((seconds > 0) | (operation.energies_pj[1] != 0) | (operation.macs > 0))
    texts = np.array([_described(operation, machine) for machine in machines], dtype=object)[machine_index[case]]
    sizes = np.full((len(case), len(SIZES)), np.nan) if operation.sizes is None else operation.sizes[case, phase]
    low, nominal, high = operation.energies_pj[:, case, phase] / PJ_PER_J
    bound = operation.seconds[case, phase].argmax(axis=1) + 1
    return {
        "operation": np.full(len(case), number), "case": case, "phase": phase,
        **dict(zip(SIZES, sizes.T, strict=True)),
        "times": operation.times[case, phase], "macs": operation.macs[case, phase],
        **dict(zip(TEXTS, texts.reshape(-1, len(TEXTS)).T, strict=True)),
        **dict(zip(BYTE_COLUMNS, operation.moved_bytes[case, phase].T, strict=True)),
        "time_s": seconds[case, phase], "bound": np.where(seconds[case, phase] > 0, bound, 0),
        "energy_j": nominal, "energy_low_j": low, "energy_high_j": high,
    }  # fmt: skip


def _described(operation: Operation, machine: Machine) -> tuple[str, ...]:
    """Return the array that runs an operation, and the formats of its weights (two), activations and outputs."""
    scheme = machine.scheme
    if operation.kind is not None:
        formats = machine.formats(operation.kind)
        array = machine.array_name(operation.kind)
        return array, formats.weights, formats.storage_name, formats.activations, formats.outputs
    if operation.component in WHOLE_PHASE:
        return ("",) * len(TEXTS)
    if operation.component in CACHED:
        stored = scheme.stored("kv_cache").holds, scheme.storage_name("kv_cache")
        return "", *stored, scheme.vector, ""
    stored = (scheme.stored("embedding").holds, scheme.storage_name("embedding"))
    return "", *(stored if operation.component == "embedding" else ("", "")), scheme.vector, scheme.vector


def _machines(grid: Grid, cases: NDArray[np.integer[Any]]) -> tuple[list[Machine], Indices]:
    """Return the machines of cases, and the index of each case's."""
    _, scheme, technology, platform, *_ = grid.axis_indices(cases)
    unique, inverse = np.unique(np.stack([scheme, technology, platform], axis=1), axis=0, return_inverse=True)
    return [grid.system.machine(*machine) for machine in unique.tolist()], inverse.reshape(-1)


def _codes(values: NDArray[Any]) -> tuple[list[str], NDArray[np.integer[Any]]]:
    names = list(dict.fromkeys(values.tolist()))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[value] for value in values.tolist()], dtype=np.int64)


def _texts(names: Sequence[str], codes: NDArray[np.integer[Any]]) -> pd.Categorical:
    """Return a column of texts, of which several may be equal."""
    unique = list(dict.fromkeys(names))
    return categorical(np.array([unique.index(name) for name in names], dtype=np.int64)[codes], unique)
