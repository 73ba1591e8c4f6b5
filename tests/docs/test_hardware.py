"""What docs/hardware.md shows works as shown."""

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from bitjoule.sim.bench.cocotb_build import verilator_environment

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "hardware.md").read_text()


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_configuration_shown_is_the_shipped_one(tmp_path):
    file = tmp_path / "shown.yaml"
    file.write_text(block("yaml accelerator"))
    assert read_configuration(str(file)) == read_configuration("edge_64x16")


def test_every_key_and_every_shipped_configuration_is_told():
    for name in [*AcceleratorConfig.__dataclass_fields__, *shipped_configurations(), *ENCODINGS]:
        assert f"{name}" in PAGE


def test_the_instantiation_compiles_with_the_generated_verilog(tmp_path):
    (tmp_path / "accelerator.v").write_text(accelerator_verilog(read_configuration("tiny_8x4")))
    (tmp_path / "soc.v").write_text(block("verilog"))
    with verilator_environment():
        # What Yosys writes is no model of style: only real errors and missing or misfit pins count.
        command = ["verilator", "--lint-only", "-Wno-lint", "-Wno-style", "-Wno-PROCASSINIT", "-Werror-PINMISSING"]
        command += ["-Werror-WIDTH", "--top-module", "soc", "soc.v", "accelerator.v"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "soc.v" not in done.stderr


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_python_examples_run(example):
    subprocess.run([sys.executable, "-c", example], check=True)


def test_the_table_of_ternary5_is_the_code():
    def pair(code):
        c2, c1, c0 = code >> 2, code >> 1 & 1, code & 1
        u = 0 if c2 and c1 else -1 if (c0 if c2 else c1) else 1
        v = 0 if c2 and not c1 else -1 if c0 else 1
        return u, v

    fifths = (0, 1, -1)
    decoded = ENCODINGS["ternary5"].decoded
    for low, m in product(range(8), range(8)):
        for h in range(3):
            assert decoded[h << 6 | low << 3 | m] == (*pair(low), *pair(m), fifths[h])
        if low <= 2:
            assert decoded[3 << 6 | low << 3 | m] == (0, 0, *pair(m), fifths[low])
        if 4 <= low <= 6:
            assert decoded[3 << 6 | low << 3 | m] == (*pair(m), 0, 0, fifths[low - 4])
        if low == 7 and m & 3 < 3:
            assert decoded[3 << 6 | low << 3 | m] == (0, 0, 0, 0, fifths[m & 3])


@pytest.mark.slow
def test_the_timing_diagram_is_drawn_from_a_simulation(tmp_path):
    drawn = tmp_path / "timing.svg"
    subprocess.run([sys.executable, DOCS / "timing_diagram.py", drawn], check=True, stdout=subprocess.DEVNULL)
    assert drawn.read_bytes() == (DOCS / "timing.svg").read_bytes()
