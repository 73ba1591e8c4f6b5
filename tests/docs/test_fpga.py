"""docs/fpga.md has the registers of the table that the hardware is made of."""

from pathlib import Path

from bitjoule.rtl.axi_lite.register_map import as_rows, register_map
from bitjoule.sim.accelerator.configurations import read_design

PAGE = Path(__file__).parents[2] / "docs" / "fpga.md"


def test_the_registers_are_those_of_a_normed_bitlinear():
    """Which has all that there are."""
    lines = PAGE.read_text().splitlines()
    begin = lines.index("| offset | register | access | bits | holds |") + 2
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        offset, name, access, bits, meaning = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append([offset.strip("`"), name.strip("`"), access, bits.strip("`"), meaning])
    keys = ("offset", "register", "access", "bits", "meaning")
    assert rows == [[str(row[key]) for key in keys] for row in as_rows(register_map(read_design("bitlinear_8x4")))]
