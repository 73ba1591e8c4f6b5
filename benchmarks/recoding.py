"""Area of what multiplies by a recoded weight: the recoding and the rows that its digits select.

Run: ``python benchmarks/recoding.py`` (seconds). Prints Markdown, in um2 of one lane's multiplier without adders, for
INT8 activations.
"""

from amaranth.back import verilog
from amaranth.hdl import Module, Signal, signed
from tabulate import tabulate

from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.libraries import FREEPDK45, find_library
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.arithmetic.multiplication import booth_rows, digits, recode

ACTIVATION_BITS = 8


def area_um2(m: Module, ports: list[Signal]) -> float:
    """Return the area of a combinational module in FreePDK45."""
    text = verilog.convert(m, name="top", ports=ports, emit_src=False)
    goals = Goals(float("nan"), constant("load-share"))
    return stored_netlist(text, "top", None, find_library([FREEPDK45]), Options(), goals).area_um2


def recoding_um2(bits: int) -> float:
    """Return the area of a weight's recoding."""
    m, weight = Module(), Signal(signed(bits), name="weight")
    recoded = recode(weight)
    result = Signal(len(recoded), name="result")
    m.d.comb += result.eq(recoded)
    return area_um2(m, [weight, result])


def rows_um2(bits: int) -> float:
    """Return the area of the selection of all rows of a product."""
    m, activation = Module(), Signal(signed(ACTIVATION_BITS), name="activation")
    recoded = Signal(len(recode(Signal(signed(bits)))), name="recoded")
    rows, _ = booth_rows(m, "lane", digits(recoded), activation)
    results = [Signal(len(row), name=f"row{i}") for i, row in enumerate(rows)]
    m.d.comb += [result.eq(row) for result, row in zip(results, rows, strict=True)]
    return area_um2(m, [recoded, activation, *results])


if __name__ == "__main__":
    table = [[f"INT{bits}", recoding_um2(bits), rows_um2(bits)] for bits in (8, 4, 2)]
    print(tabulate(table, ["weights", "recoding", "rows"], tablefmt="github", floatfmt=".3g"))
