"""docs/fpga.md has the registers of the table that the hardware is made of."""

import re
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


def test_look_up_tables_are_called_luts():
    """A reader takes a table for one of data; names in code, comments and links are no prose."""
    prose = re.sub(
        r"<!--.*?-->|```.*?```|`[^`]*`|\]\([^)]*\)|^\[.*", "", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    tables = [match[0] for match in re.finditer(r"[^.|]*\btables?\b[^.|]*", prose, re.IGNORECASE)]
    assert [" ".join(text.split()) for text in tables if "look-up table" not in text] == []
