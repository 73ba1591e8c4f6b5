"""The hash of the code that decides a result: which modules it covers, against Python's own imports."""

import subprocess
import sys

import pytest

from bitjoule.gates.code_fingerprint import imported_modules

LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*(name for name in sys.modules if name.startswith("bitjoule.gates.")))
"""


@pytest.mark.parametrize("module", ["bitjoule.gates.synthesis.flow", "bitjoule.gates.calibration.measurement"])
def test_every_module_that_importing_one_loads_is_covered(module):
    loaded = subprocess.run([sys.executable, "-c", LOADED, module], capture_output=True, text=True, check=True)
    packages = {
        "bitjoule.gates." + name for name in ("calibration", "liberty", "power", "stimuli", "synthesis", "timing")
    }
    assert set(loaded.stdout.split()) - packages <= imported_modules(module)


def test_what_prices_a_netlist_does_not_decide_the_netlist():
    flow = imported_modules("bitjoule.gates.synthesis.flow")
    assert {"bitjoule.gates.synthesis.yosys", "bitjoule.gates.liberty.cells", "bitjoule.gates.timing.sta"} <= flow
    assert not {"bitjoule.gates.power.energy", "bitjoule.gates.calibration.measurement"} & flow
