"""An array calibrates from any library of the standard form, whichever way its Liberty file says what it says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitjoule.energy_models.prices.measured import FEATURES
from bitjoule.gates.calibration.calibration import Plan, calibrate
from bitjoule.gates.calibration.measurement import Effort, measure, netlist_of
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.liberty.requirements import lacking
from bitjoule.rtl.config import AcceleratorConfig
from tests.sampling import sampled

CASES = Path(__file__).parents[1] / "liberty" / "cases"
PLAIN = CASES / "plain.lib"
SMALL = AcceleratorConfig(
    lanes=16, columns=2, max_k=32, weight_bus_bits=32, weight_encoding="binary1", activation_bits=2
)
PLAN = Plan([SMALL], [("add", "int8")], "gaussian:1", 0.3, "a test", Effort(cycles=4))
FILES = sorted({path.stem for path in CASES.glob("*.lib")} - {"plain"})

# They state the same delays and, for each toggle, the same energy as `plain`, in other words.
SAME = ("continued_crlf", "default_leakage", "pins_listed", "power_without_related_pin")


def calibrated(path):
    """Return library and technology, and the largest array."""
    library = Library([path])
    with ThreadPoolExecutor(1) as executor:
        found = calibrate(PLAN, library, 130.0, "a test", lambda *_: None, executor)
    (mac,) = found.macs
    largest = AcceleratorConfig(
        lanes=mac.lanes, columns=mac.columns, max_k=32, weight_bus_bits=mac.lanes * mac.columns, tokens=1,
        weight_encoding="binary1", activation_bits=2,
    )  # fmt: skip
    return library, found, largest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", *sampled(FILES, 1, "libraries that calibrate")])
def test_an_array_calibrates(name):
    """Leakage and area are the netlist's, all terms are there, and the arrays are those that were measured."""
    library, found, config = calibrated(CASES / f"{name}.lib")
    largest = measure(config, library, PLAN.stimulus, PLAN.effort)
    (mac,), (operation,) = found.macs, found.operations
    assert {file.file: file.sha256 for file in found.measured.liberty} == fingerprints(library)
    terms = {term: getattr(mac, f"{term}_pj") for term in FEATURES}
    assert all(0 <= term.low <= term.nominal <= term.high for term in terms.values())
    assert terms["nonzero"].nominal > 0
    assert operation.energy_pj.nominal > 0
    assert mac.worst_fit < 0.1
    macs = mac.lanes * mac.columns
    assert mac.area_um2 * macs == pytest.approx(largest.area_um2, rel=1e-4)
    registers = sum(cell.cell.flip_flop is not None for cell in netlist_of(config, library).instances)
    of_register_nw = 2.0 if name == "default_leakage" else 5.0  # of all other cells 2 nW, as the files say
    leakage_nw = 2.0 * (largest.cells - registers) + of_register_nw * registers
    assert mac.leakage_nw * macs == pytest.approx(leakage_nw, rel=1e-4)
    if name in SAME:
        plain = measure(config, Library([PLAIN]), PLAN.stimulus, PLAN.effort)
        assert (largest.cells, largest.settled_fj) == (plain.cells, pytest.approx(plain.settled_fj))
    assert [text.split(",")[0] for text in lacking(library)] == ["no full adder", "no clock gate"]
