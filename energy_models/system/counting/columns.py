"""The columns of the system accounting, and a machine's price in each of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.layout import CACHE_WRITE, Layout
from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.formats.storage import counted_formats
from bitjoule.energy_models.prices.measured import UNITS
from bitjoule.energy_models.system.counting.dram_parts import part_columns, part_lines
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.machine_levels import LEVEL_ACTIONS, level_columns, level_lines
from bitjoule.energy_models.system.platform.channels import PART_ACTIONS
from bitjoule.energy_models.system.platform.regulator import ACTION, OPERAND, UNREGULATED
from bitjoule.energy_models.system.platform.regulator import COMPONENT as LOSS
from bitjoule.energy_models.system.platform.static_power import COMPONENT as STATIC
from bitjoule.energy_models.system.platform.static_power import STATES
from bitjoule.energy_models.system.work.steps import ABSENT, KINDS, NOTHING, STEPS, MatmulKind, StepPrice

QUANTITIES = tuple(dict.fromkeys(step.quantity for step in STEPS))
OF_WEIGHTS = np.isin(QUANTITIES, ("fills", "buffered_fills", "loads", "weights_in"))
PART_STEPS = ("mul", "add", "buffer_read", "buffer_write")
QUANTISATION = "activation_quantisation"
OTHERS = (
    ("embedding", "weights", "off_chip_read"),
    ("spilled_activations", "outputs", "off_chip_read"),
    ("spilled_activations", "outputs", "off_chip_write"),
    ("spilled_activations", "activations", "off_chip_write"),
    ("kv_cache_write", "keys_values", "mul"),
    ("kv_cache_write", "keys_values", "add"),
    ("kv_cache_write", "keys_values", "buffer_read"),
    ("kv_cache_write", "keys_values", "off_chip_write"),
    ("kv_cache_read", "state", "off_chip_read"),
    ("kv_cache_write", "state", "off_chip_write"),
    (QUANTISATION, "activations", "buffer_write"),
    ("leakage", "chip", "leak"),
    *((STATIC, state.part, state.state) for state in STATES),
    (LOSS, OPERAND, ACTION),
)
OPERANDS = tuple(
    dict.fromkeys((*(k.operand for k in KINDS), *(s.operand for s in STEPS), *(operand for _, operand, _ in OTHERS)))
)
ACTIONS = tuple(
    dict.fromkeys(
        (*(s.action for s in STEPS), *(action for *_, action in OTHERS), *PART_ACTIONS, *LEVEL_ACTIONS, *UNITS)
    )
)
STEP_QUANTITY = np.array([QUANTITIES.index(step.quantity) for step in STEPS])


class CountColumn(NamedTuple):
    """One kind of action in one place."""

    phase: str
    component: str
    operand: str
    action: str


def columns(
    layout: Layout, phases: Sequence[str], by_parts: bool = False, levels: int = 0, by_units: bool = False
) -> tuple[CountColumn, ...]:
    """Return the columns of every phase.

    Parameters
    ----------
    layout
        Of the models.
    phases
        Their names.
    by_parts
        Whether there are columns for the parts of a DRAM device.
    levels
        Memory levels of the machine that has most.
    by_units
        Whether there are columns for elements that are paid in units.
    """
    before, parts = phase_columns(layout, by_parts, by_units)
    of_phase = (*before, *parts, *level_columns(levels), *OTHERS)
    return tuple(CountColumn(phase, *column) for phase in phases for column in of_phase)


def phase_columns(
    layout: Layout, by_parts: bool, by_units: bool
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Return component, operand and action of the columns of a phase before those of `OTHERS`.

    Parameters
    ----------
    layout, by_parts, by_units
        As for `columns`.

    Returns
    -------
    list, list
        Matmuls, element-wise parts, and elements in units; the parts of a DRAM device.
    """
    result = []
    for component in layout.matmuls:
        operand = layout.kind_of.get(component, MatmulKind.LINEAR).operand
        for step in STEPS:
            cached = operand != "weights" and (step.operand, step.action) == ("weights", "off_chip_read")
            operand_name = operand if step.operand == "weights" else step.operand
            result.append(("kv_cache_read" if cached else component, operand_name, step.action))
    result += [(part, "activations", action) for part in layout.elementwise for action in PART_STEPS]
    if by_units:
        result += [
            (component, "keys_values" if component == CACHE_WRITE else "activations", unit)
            for component, unit in layout.in_units
        ]
    return result, part_columns([*result, *OTHERS]) if by_parts else []


def delivered(count: int) -> Floats:
    """Return 1 for each column of a phase whose energy goes through the regulators, otherwise 0.

    Parameters
    ----------
    count
        Columns of a phase.
    """
    through = np.ones(count)
    for i, (component, operand, _) in enumerate(reversed(OTHERS)):
        through[-1 - i] = component != LOSS and not (component == STATIC and operand in UNREGULATED)
    return through


class Setup(NamedTuple):
    """A machine's prices, as tables.

    Parameters
    ----------
    factors
        Of each step of each matmul, shape (slots, steps); see `bitjoule.energy_models.system.work.steps.StepPrice`.
    bits
        Of the values that each step of an element-wise part moves, 1 for operations; shape (parts, part steps).
    query_bits
        Of a written query or probability, where its format is not that of the linears' inputs; otherwise 0.
    formats, keys
        Index into `bitjoule.energy_models.formats.storage.counted_formats`, and price key, of each column of a phase.
    prices
        Low, nominal and high, in pJ; shape (3, columns of a phase).
    counted
        1 for each column of the parts of a DRAM device that has a price, otherwise 0.
    margin_bits
        Room that the smallest tiles need in the activations' buffer besides its resident values.
    capacity_bits
        Of that buffer.
    shared
        Whether it also holds weights.
    """

    factors: Floats
    bits: Floats
    query_bits: int
    formats: NDArray[np.int16]
    prices: Floats
    keys: tuple[str, ...]
    counted: Floats
    margin_bits: float
    capacity_bits: float
    shared: bool


def tables(machine: Machine, layout: Layout, by_parts: bool = False, levels: int = 0, by_units: bool = False) -> Setup:
    """Return a machine's tables.

    Parameters
    ----------
    machine
        The machine.
    layout, by_parts, levels, by_units
        As for `columns`, of the models that it runs.

    Raises
    ------
    UnpricedError
        A price is missing.
    """
    scheme = machine.scheme
    lines = {kind: machine.lines(kind) for kind in layout.kinds}
    factors = np.array([[lines[kind][step].factor for step in STEPS] for kind in layout.kinds])[layout.kind]
    per_column: list[StepPrice] = []
    for component in layout.matmuls:
        kind = layout.kind_of.get(component)
        per_column += [lines[kind][step] if kind else ABSENT for step in STEPS]
    vector, residual = scheme.vector, scheme.residual
    rescales = any(kind.adds_biases for kind in layout.kinds)

    def operation(action: str) -> StepPrice:
        price = machine.operation(action, vector) if rescales else NOTHING
        return StepPrice(1.0, vector, price, machine.operation_key(action, vector))

    def access(action: str, name: str, operand: str = "activations") -> StepPrice:
        return StepPrice(1.0, name, *machine.access(action, operand, stored=name))

    bits = np.ones((len(layout.elementwise), len(PART_STEPS)))
    bits[:, 2:] = machine.vector_bits
    # Where the linears take floating point, only queries and probabilities are quantised.
    queries = scheme.attention_operands[1]
    quantised = scheme.activations if scheme.quantises_activations else queries
    for i, part in enumerate(layout.elementwise):
        written_format = quantised if part == QUANTISATION else residual
        bits[i, 3] = width_bits(written_format)
        per_column += [
            operation("mul"),
            operation("add"),
            access("buffer_read", residual),
            access("buffer_write", written_format),
        ]
    if by_units:
        per_column += [operation(unit) if unit in machine.units else ABSENT for _, unit in layout.in_units]
    per_column += [
        access("off_chip_read", scheme.storage_name("embedding")),
        access("off_chip_read", residual),
        access("off_chip_write", residual),
        access("off_chip_write", scheme.activations),
        operation("mul"),
        operation("add"),
        access("buffer_read", residual),
        access("off_chip_write", scheme.storage_name("keys")),
        access("off_chip_read", residual),
        access("off_chip_write", residual),
        access("buffer_write", queries),
        StepPrice(1.0, "", machine.cycle_pj, machine.cycle_key),
        *machine.static,
        machine.regulator,
    ]
    before, _ = phase_columns(layout, by_parts=False, by_units=by_units)
    parts: list[StepPrice] = []
    if by_parts:
        per_column, parts = part_lines(machine, [*before, *OTHERS], per_column)
        per_column[len(before) : len(before)] = parts
    at_others = len(per_column) - len(OTHERS)
    per_column[at_others:at_others] = level_lines(machine, levels)
    buffers = list(machine.platform.buffers.values())
    buffer = buffers[machine.buffer("activations")]
    model_kinds = [kind for kind in layout.kinds if not kind.standalone]
    return Setup(
        factors=factors,
        bits=bits,
        query_bits=width_bits(queries) if scaled(queries) and queries != quantised else 0,
        formats=np.array([counted_formats().index(line.format) for line in per_column], dtype=np.int16),
        prices=np.array([line.price for line in per_column]).T,
        keys=tuple(line.key for line in per_column),
        counted=np.array([line.factor for line in parts]),
        margin_bits=max((machine.least_bits(kind) for kind in model_kinds), default=0.0),
        capacity_bits=buffer.size_bytes * 8.0,
        shared=machine.buffer("weights") == machine.buffer("activations"),
    )
