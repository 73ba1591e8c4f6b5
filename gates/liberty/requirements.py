"""What a library must have for a design to be mapped to it, timed and priced.

A full adder and a clock gate are used where there are any; without them a netlist is larger, not impossible
(`lacking`). Prices of netlists without full adders are made only on demand (`check_full_adder`): whoever uses them
afterwards reads no warning.
"""

from collections.abc import Iterable

from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.cell import Cell
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.text import LibertyError
from bitjoule.gates.netlist import is_full_adder

_INVERTER, _BUFFER = {0b01}, {0b10}
_TWO_INPUTS = {0b0001, 0b0111, 0b1000, 0b1110}
_FULL_ADDER = (
    "a cell of three inputs whose two outputs are their parity and their majority, plain or inverted, and no dont_use"
)
_CONSTRAINTS = {"rise_constraint", "fall_constraint"}


def check_library(library: Library) -> None:
    """Refuse a library that lacks a kind of cell.

    Parameters
    ----------
    library : Library
        To be mapped to.

    Raises
    ------
    LibertyError
        What it lacks.
    """
    smallest_flip_flop(library)
    needed = {
        "inverter": (1, _INVERTER),
        "buffer (output equal to its only input)": (1, _BUFFER),
        "two-input gate (NAND, NOR, AND or OR)": (2, _TWO_INPUTS),
    }
    for name, (inputs, tables) in needed.items():
        if library.smallest(_gates(library, inputs, tables)) is None:
            raise LibertyError(f"{_files(library)}: no {name}; expected at least one that is not dont_use")


def check_full_adder(library: Library, otherwise: str) -> None:
    """Refuse a library that has no full adder to be used.

    Parameters
    ----------
    library : Library
        Already checked.
    otherwise : str
        What else would do, for the message.

    Raises
    ------
    LibertyError
        It has none.
    """
    if not any(is_full_adder(cell) and not cell.avoid for cell in library.cells.values()):
        raise LibertyError(f"{_files(library)}: no full adder; expected {_FULL_ADDER}, or {otherwise}")


def lacking(library: Library) -> tuple[str, ...]:
    """Return what a library lacks that makes netlists smaller: a sentence each, with what would be used.

    Parameters
    ----------
    library : Library
        Already checked.
    """
    cells = [cell for cell in library.cells.values() if not cell.avoid]
    lacks = []
    if not any(is_full_adder(cell) for cell in cells):
        lacks.append(f"no full adder, so additions are built of gates and are larger; expected {_FULL_ADDER}")
    if not any(cell.clock_gate for cell in cells):
        lacks.append(
            "no clock gate, so registers that keep their values have multiplexers; expected a cell with "
            "clock_gating_integrated_cell and no dont_use"
        )
    return tuple(lacks)


def _gates(library: Library, inputs: int, tables: set[int]) -> Iterable[Cell]:
    return (
        cell
        for cell in library.cells.values()
        if cell.is_combinational
        and len(cell.inputs) == inputs
        and len(cell.outputs) == 1
        and cell.table(cell.outputs[0]) in tables
    )


def smallest_flip_flop(library: Library) -> Cell:
    """Return the smallest flip-flop with data and rising clock, or else of those with a reset or preset to be tied off.

    Yosys would take one without an inversion if there is any, however large.

    Raises
    ------
    LibertyError
        There is none.
    """
    usable = [
        cell
        for cell in library.cells.values()
        if (state := cell.flip_flop) is not None
        and bool(state.idle) == state.asynchronous
        and set(cell.inputs) == {*state.next_state.pins, state.clock.text.strip("() "), *state.idle}
        and len(cell.inputs) == 2 + len(state.idle)
    ]
    plain = library.smallest(cell for cell in usable if not cell.state.asynchronous)
    smallest = plain or library.smallest(usable)
    if smallest is None:
        raise LibertyError(
            f"{_files(library)}: no usable flip-flop; expected a cell with ff (...), a data pin, a rising clock, no "
            "other input except resets and presets that can be tied off, and no dont_use"
        )
    return smallest


def check_cells(library: Library, cells: Iterable[Cell]) -> None:
    """Refuse cells that cannot be sized, timed or priced.

    Parameters
    ----------
    library : Library
        Where they are.
    cells : iterable of Cell
        Those that a netlist uses.

    Raises
    ------
    LibertyError
        What a cell lacks.
    """
    for cell in dict.fromkeys(cells):
        lacking = []
        if not cell.area_um2 > 0.0:
            lacking.append("area above zero")
        lacking += [f"capacitance of pin {pin}" for pin in cell.inputs if not cell.pins[pin].capacitance_ff > 0.0]
        for pin in () if cell.clock_gate else cell.outputs:
            if not cell.pins[pin].max_capacitance_ff > 0.0:
                lacking.append(f"max_capacitance of pin {pin}")
            if not any({"cell_rise", "rise_transition"} <= set(arc.tables) for arc in cell.arcs(pin)):
                lacking.append(f"timing () with cell_rise and rise_transition at pin {pin}")
        if not any(cell.powers(pin) for pin in (*cell.inputs, *cell.outputs)):
            lacking.append("internal_power ()")
        setups = [arc for pin in cell.inputs for arc in cell.arcs(pin) if arc.type == "setup_rising"]
        if cell.flip_flop is not None and not any(set(arc.tables) & _CONSTRAINTS for arc in setups):
            lacking.append("timing () of type setup_rising")
        if lacking:
            raise LibertyError(f"{_files(library)}: cell {cell.name} has no {', no '.join(lacking)}")
        _check_energies(library, cell)


def _check_energies(library: Library, cell: Cell) -> None:
    """Refuse energies that are out of all proportion to the cell: a unit is wrong, or a number is."""
    times = constant("largest-internal-energy")
    bound_fj = times * library.voltage_v**2 * sum(cell.pins[pin].capacitance_ff for pin in cell.inputs)
    for pin in (*cell.inputs, *cell.outputs):
        tables = [table for power in cell.powers(pin) for table in (power.rise, power.fall) if table is not None]
        largest_fj = max((float(abs(table.values).max()) for table in tables), default=0.0)
        if cell.inputs and largest_fj > bound_fj:
            raise LibertyError(
                f"{_files(library)}: cell {cell.name}: an internal energy of {largest_fj:.3g} fJ at pin {pin}; "
                f"expected at most {bound_fj:.3g} fJ, {times:g} times the charge of its input pins times "
                f"{library.voltage_v:g} V: capacitive_load_unit and voltage_unit set the unit of energy"
            )


def _files(library: Library) -> str:
    return ", ".join(str(path) for path in library.paths)
