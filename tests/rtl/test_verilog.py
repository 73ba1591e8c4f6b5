import json
import re
import subprocess
import sys

import pytest

from bitjoule.rtl.config import DATAPATHS, AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog, description
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from tests.sampling import sampled

SHIPPED = sorted(shipped_configurations())
SMALL = AcceleratorConfig(8, 4, 64, 32, tokens=3)

YOSYS = """
import json, sys
from pyosys import libyosys as ys
design = ys.Design()
for command in (f"read_verilog {sys.argv[1]}", f"hierarchy -check -top {sys.argv[2]}", "proc", "flatten", "opt_clean",
                f"tee -q -o {sys.argv[3]} stat -json"):
    ys.run_pass(command, design)
"""


def operators(verilog: str) -> str:
    """Return Verilog without comments, attributes and sensitivity lists: what is left of `*` is an operator."""
    bare = re.sub(r"/\*.*?\*/|//[^\n]*|\(\*.*?\*\)", "", verilog, flags=re.DOTALL)
    return re.sub(r"@\s*(\*|\(\s*\*\s*\))", "", bare)


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(SHIPPED, 2, "searched for multiplications"))
def test_no_shipped_configuration_multiplies(name, tmp_path):
    verilog = accelerator_verilog(read_configuration(name))
    assert "*" not in operators(verilog)
    source, counts = tmp_path / "a.v", tmp_path / "stat.json"
    source.write_text(verilog)
    subprocess.run([sys.executable, "-c", YOSYS, source, TOP, counts], check=True, stdout=subprocess.DEVNULL)
    cells = json.loads(counts.read_text())["design"]["num_cells_by_type"]
    assert {"$xor", "$and", "$add"} <= set(cells)
    assert not [cell for cell in cells if re.search("mul|macc|div|mod|pow|dsp", cell, re.IGNORECASE)]


def test_the_search_for_multiplications_finds_one():
    assert "*" in operators("always @* begin /* a */ y = a * b; end")


@pytest.mark.parametrize("datapath", DATAPATHS["ternary2"])
def test_the_same_configuration_gives_the_same_bytes_in_another_process(datapath):
    config = AcceleratorConfig(8, 2, 64, 32, datapath=datapath)
    program = (
        "import sys; from bitjoule.rtl.config import AcceleratorConfig as A; from bitjoule.rtl.verilog import *;"
        f"sys.stdout.write(accelerator_verilog(A(8, 2, 64, 32, datapath={datapath!r})))"
    )
    other = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert other == accelerator_verilog(config)


def test_a_column_is_written_once_however_many_there_are():
    few, many = (accelerator_verilog(AcceleratorConfig(8, columns, 64, 64)) for columns in (2, 4))
    assert few.count("\nmodule ") == many.count("\nmodule ")
    assert len(re.findall(r"^  \\?\S*column0 +column\d", many, re.MULTILINE)) == 4


def test_the_text_names_no_place_on_this_machine():
    verilog = accelerator_verilog(SMALL)
    assert "src =" not in verilog
    assert not re.search(r"[\w.]+\.py\b", verilog)


def test_the_description_names_every_port_of_the_verilog():
    verilog = accelerator_verilog(SMALL)
    top = verilog[verilog.index(f"module {TOP}(") : verilog.index("endmodule")]
    ports = dict.fromkeys(())
    for way, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top, re.MULTILINE):
        ports[name] = (way, int(high or 0) + 1)
    told = description(SMALL)
    assert {port["name"]: (port["direction"] + "put", port["bits"]) for port in told["ports"]} == ports
    assert told["configuration"] == SMALL.as_mapping()
    json.dumps(told)
