"""The hand-made library with a clock gate: round numbers, a table for each state."""

from pathlib import Path

from bitjoule.gates.liberty.cells import Library
from tests.gates import hand_made as hand

CLOCK_FF, ENABLE_FF = 2.25, 1.25
SHUT_FJ, ENABLE_FJ = (1.0, 2.0), (0.25, 0.75)
OUTPUT_FJ = {"E": (16.0, 6.0), "!E": (30.0, 8.0)}  # the enable may have changed before the clock falls
LEAKAGE_NW = 12.0


def _power(stated: str, fj: tuple[float, float], load: bool) -> str:
    tables = [
        hand._table(f"{edge}_power", hand.USUAL, 1.0, energy, hand.SLEW_FJ, hand.LOAD_FJ if load else 0.0)
        for edge, energy in zip(("rise", "fall"), fj, strict=True)
    ]
    return f"internal_power () {{ {stated} {''.join(tables)} }}\n"


def cell() -> str:
    """Return the clock gate's text."""
    return f"""cell (ICG) {{ area : 4; cell_leakage_power : {LEAKAGE_NW}; clock_gating_integrated_cell : latch_posedge;
pin (CK) {{ direction : input; capacitance : {CLOCK_FF}; clock : true; clock_gate_clock_pin : true;
{_power('when : "!E";', SHUT_FJ, load=False)} }}
pin (E) {{ direction : input; capacitance : {ENABLE_FF}; clock_gate_enable_pin : true;
{_power("", ENABLE_FJ, load=False)} }}
pin (GCK) {{ direction : output; max_capacitance : 60; clock_gate_out_pin : true;
{"".join(_power(f'related_pin : "CK"; when : "{when}";', fj, load=True) for when, fj in OUTPUT_FJ.items())} }} }}
"""


def library(folder: Path) -> Library:
    """Return the hand-made library with the clock gate."""
    text = hand.text().rstrip().removesuffix("}")
    return hand.library(folder, content=f"{text}{cell()}}}\n")
