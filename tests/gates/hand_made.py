"""A Liberty file of four cells with round numbers: every table is linear, so that what it says anywhere is known."""

from pathlib import Path

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.netlist import Instance, Netlist

VOLTAGE_V = 2.0
CAPACITANCE_FF = {"INV/A": 1.0, "BUF/A": 1.0, "NAND/A": 2.0, "NAND/B": 3.0, "DFF/D": 1.5, "DFF/CK": 2.5}
LEAKAGE_NW = {"INV": 10.0, "BUF": 15.0, "NAND": 20.0, "DFF": 40.0}
# Energy in fJ at slew and load zero; each ns of slew adds SLEW_FJ, each fF of load LOAD_FJ.
RISE_FJ = {"INV/Y": 4.0, "BUF/Y": 4.0, "NAND/Y/A": 6.0, "NAND/Y/B": 10.0, "DFF/Q": 20.0}
FALL_FJ = {"INV/Y": 2.0, "BUF/Y": 3.0, "NAND/Y/A": 1.0, "NAND/Y/B": 3.0, "DFF/Q": 24.0}
HIDDEN_FJ = 0.5, 0.7  # of NAND/A when !B: rise and fall; only the slew adds
CLOCK_KEEPS_FJ, CLOCK_CHANGES_FJ = (3.0, 5.0), (0.0, 9.0)
SLEW_FJ, LOAD_FJ = 20.0, 0.25
# Delay and slew in ns at load zero; each fF and each ns of input slew adds.
DELAY_NS = {"rise": 0.020, "fall": 0.010}
DELAY_NS_PER_FF, DELAY_NS_PER_NS = 0.004, 0.1
SLEW_NS = {"rise": 0.015, "fall": 0.012}
SLEW_NS_PER_FF = 0.002
SETUP_NS = {"rise": 0.030, "fall": 0.050}
WIRE_FF_PER_UM, WIRE_UM, WIRE_SLOPE_UM = 0.2, 5.0, 4.0
SLEWS_NS, LOADS_FF = (0.01, 0.03, 0.05), (1.0, 11.0)


class Units:
    """What the numbers are written in; as strings of Liberty and as factors from fF, ns, V and nW."""

    def __init__(self, capacitance: str, time: str, voltage: str, power: str) -> None:
        self.texts = capacitance, time, voltage, power
        scale = {"f": 1e15, "p": 1e12, "n": 1e9, "u": 1e6, "m": 1e3}
        self.farad = 1e-15 * scale[capacitance.split(",")[1].strip()[0].lower()] / float(capacitance.split(",")[0])
        self.second = 1e-9 * scale[time[-2]] / float(time[:-2])
        self.volt = (1e3 if voltage[-2:] == "mV" else 1.0) / float(voltage.rstrip("mV"))
        self.watt = 1e-9 * scale[power[-2]] / float(power[:-2])
        self.joule = self.farad * self.volt**2


USUAL = Units("1, ff", "1ns", "1V", "1nW")


def _table(kind: str, units: Units, unit: float, base: float, per_ns: float, per_ff: float) -> str:
    """Return a table of what is linear in slew and load; one of the slew alone if no load adds."""
    slews = ", ".join(f"{slew * units.second:.12g}" for slew in SLEWS_NS)
    loads = ", ".join(f"{load * units.farad:.12g}" for load in LOADS_FF)
    rows = []
    for slew in SLEWS_NS:
        row = [f"{(base + per_ns * slew + per_ff * load) * unit:.12g}" for load in LOADS_FF[: 2 if per_ff else 1]]
        rows.append(f'"{", ".join(row)}"')
    values = ", \\\n".join(rows)
    if per_ff:
        return f'{kind} (both) {{ index_1 ("{slews}"); index_2 ("{loads}"); values ({values}); }}'
    return f'{kind} (hidden) {{ index_1 ("{slews}"); values ({values}); }}'


def _power(units: Units, fj: tuple[float, float], related: str = "", when: str = "") -> str:
    """Return the power of a pin: of an output related to an input, else of an input under a condition."""
    stated = f'related_pin : "{related}";' if related else f'when : "{when}";'
    tables = [
        _table(f"{edge}_power", units, units.joule, energy, SLEW_FJ, LOAD_FJ if related else 0.0)
        for edge, energy in zip(("rise", "fall"), fj, strict=True)
    ]
    return f"internal_power () {{ {stated} {''.join(tables)} }}\n"


def _timing(units: Units, related: str, sense: str, kind: str) -> str:
    text = f'timing () {{ related_pin : "{related}"; timing_sense : {sense}; timing_type : {kind};'
    for edge in ("rise", "fall"):
        text += _table(f"cell_{edge}", units, units.second, DELAY_NS[edge], DELAY_NS_PER_NS, DELAY_NS_PER_FF)
        text += _table(f"{edge}_transition", units, units.second, SLEW_NS[edge], 0.0, SLEW_NS_PER_FF)
    return text + "}\n"


def _input(units: Units, cell: str, pin: str, inside: str = "") -> str:
    capacitance = CAPACITANCE_FF[f"{cell}/{pin}"] * units.farad
    return f"pin ({pin}) {{ direction : input; capacitance : {capacitance:.12g};\n{inside} }}\n"


def _output(units: Units, pin: str, function: str, inside: str) -> str:
    limit = f"max_capacitance : {60 * units.farad:.12g};"
    return f'pin ({pin}) {{ direction : output; function : "{function}"; {limit}\n{inside} }}\n'


def _cell(units: Units, name: str, area_um2: float, inside: str) -> str:
    leakage = f"cell_leakage_power : {LEAKAGE_NW[name] * units.watt:.12g};"
    return f"cell ({name}) {{ area : {area_um2}; {leakage}\n{inside} }}\n"


def _gate(units: Units, name: str, related: str, sense: str) -> str:
    key = f"{name}/Y/{related}" if name == "NAND" else f"{name}/Y"
    return _timing(units, related, sense, "combinational") + _power(units, (RISE_FJ[key], FALL_FJ[key]), related)


def cells(units: Units = USUAL) -> dict[str, str]:
    """Return the text of each cell."""
    inverter = _input(units, "INV", "A") + _output(units, "Y", "!A", _gate(units, "INV", "A", "negative_unate"))
    buffer = _input(units, "BUF", "A") + _output(units, "Y", "A", _gate(units, "BUF", "A", "positive_unate"))
    nand = _input(units, "NAND", "A", _power(units, HIDDEN_FJ, when="!B & Y")) + _input(units, "NAND", "B")
    inside = "".join(_gate(units, "NAND", pin, "negative_unate") for pin in "AB")
    nand += _output(units, "Y", "!(A & B)", inside)
    setup = 'timing () { related_pin : "CK"; timing_type : setup_rising;'
    for edge in ("rise", "fall"):
        setup += f'{edge}_constraint (scalar) {{ values ("{SETUP_NS[edge] * units.second:.12g}"); }}'
    clock = "clock : true;" + _power(units, CLOCK_KEEPS_FJ, when="(D & Q) | (!D & !Q)")
    clock += _power(units, CLOCK_CHANGES_FJ, when="D ^ Q")
    flip_flop = 'ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }\n'
    flip_flop += _input(units, "DFF", "D", setup + "}\n") + _input(units, "DFF", "CK", clock)
    inside = _timing(units, "CK", "non_unate", "rising_edge")
    inside += _power(units, (RISE_FJ["DFF/Q"], FALL_FJ["DFF/Q"]), "CK")
    flip_flop += _output(units, "Q", "IQ", inside)
    bodies = {"INV": (1.0, inverter), "BUF": (2.0, buffer), "NAND": (1.5, nand), "DFF": (5.0, flip_flop)}
    return {name: _cell(units, name, area_um2, body) for name, (area_um2, body) in bodies.items()}


def head(units: Units = USUAL) -> str:
    """Return the text before the cells, the library's opening brace included."""
    capacitance, time, voltage, power = units.texts
    return f"""/* made by hand */
library (hand_made) {{
  time_unit : "{time}"; voltage_unit : "{voltage}"; leakage_power_unit : "{power}";
  capacitive_load_unit ({capacitance});
  nom_voltage : {VOLTAGE_V * units.volt:g};
  wire_load ("short") {{ capacitance : {WIRE_FF_PER_UM * units.farad:.12g}; slope : {WIRE_SLOPE_UM};
    fanout_length (1, {WIRE_UM}); }}
  default_wire_load : "short";
  lu_table_template (both) {{ variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("1, 2, 3"); index_2 ("1, 2"); }}
  power_lut_template (hidden) {{ variable_1 : input_transition_time; index_1 ("1, 2, 3"); }}
"""


def text(units: Units = USUAL, leave_out: tuple[str, ...] = ()) -> str:
    """Return the whole file, without some cells."""
    return head(units) + "".join(cell for name, cell in cells(units).items() if name not in leave_out) + "}\n"


def library(folder: Path, units: Units = USUAL, content: str | None = None) -> Library:
    """Return the library, read from a file in a folder."""
    path = folder / "hand_made.lib"
    path.write_text(text(units) if content is None else content)
    return Library([path])


def spare(cell, net):
    """Return a net for the outputs of a register that nothing reads."""
    return {pin: net for pin in cell.outputs if pin != "Q"}


def chain(library, inverters, register="DFF", inverter="INV", output="Y"):
    """Return a register, inverters one after the other and a register that takes the last's output; clock is net 2."""
    dff, inv = library.cells[register], library.cells[inverter]
    instances = [Instance("first", dff, {"D": 3, "CK": 2, "Q": 4, **spare(dff, 100)})]
    instances += [Instance(f"i{i}", inv, {"A": 4 + i, output: 5 + i}) for i in range(inverters)]
    last = 4 + inverters
    instances.append(Instance("last", dff, {"D": last, "CK": 2, "Q": last + 1, **spare(dff, 101)}))
    return Netlist("chain", {"clk": [2], "d": [3]}, {"q": [last + 1]}, instances)
