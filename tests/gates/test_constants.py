"""Numbers of the gate level stand in data files, each with its unit and a source or an assumption's reason."""

import ast
import csv
from pathlib import Path

import pytest

from bitjoule import gates
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.experiments import hardware
from bitjoule.gates.calibration.operators import OperatorMeasurement
from bitjoule.gates.constants import COLUMNS, CONSTANTS_FILE, LIBRARIES_FILE, constant, constants, quantities
from bitjoule.gates.liberty import wires

FILES = (CONSTANTS_FILE, LIBRARIES_FILE, wires.DATA)
# A half of C V squared, of a carry's chance, of a probability; prefixes of units; what keeps from a division by zero;
# OpenSTA's own rules and units; a period longer than any path.
MATHEMATICS = {
    "crosscheck": {0.5, 2.0, 1e-6, 1e-9}, "energy": {0.5}, "fit": {1e-300},
    "text": {1e-18, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e9, 1e15}, "operands": {0.5},
    "opensta": {100.0}, "wires": {0.5}, "calibration": {1e-3},
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_row_has_a_unit_and_a_source_or_a_reason(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert row.get("unit", "nm")
        if row["source"] == "assumption":
            assert row["note"]
        else:
            assert keys(row["source"])
            assert set(keys(row["source"])) <= set(sources())
            assert row["where"]


@pytest.mark.parametrize(
    "path",
    sorted([*Path(gates.__file__).parent.rglob("*.py"), *Path(hardware.__file__).parent.glob("costs.py")]),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_no_number_that_is_not_mathematics_stands_in_code(path):
    numbers = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    }
    assert numbers <= {0.0, 1.0} | MATHEMATICS.get(path.stem, set())


def test_an_operators_band_has_the_wires_of_the_data_file_at_its_high_end():
    measured = OperatorMeasurement(3.0, 5.0, 0.25, 0.5, 0.0, 1.0, 1.0, 1.0, 1)
    assert measured.band_fj == (3.0, 5.5, 6.0)  # wires twice as long


def test_a_quantity_is_one_number_or_several():
    assert constant("load-share") == 0.5
    assert constants("speed-up-share") == (0.3, 0.15, 0.07, 0.03)
    with pytest.raises(ValueError, match="too many values"):
        constant("speed-up-share")


@pytest.mark.parametrize("row", ["load-share,none,of it,assumption,,why", "load-share,-1,of it,assumption,,why"])
def test_a_row_that_is_no_number_is_named_with_its_line(tmp_path, row):
    path = tmp_path / "constants.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{row}\n")
    with pytest.raises(InputError) as caught:
        quantities(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key, problem.expected) == (2, "value", "a positive number")
