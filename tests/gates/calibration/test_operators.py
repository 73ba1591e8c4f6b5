"""What an operator's measurement tells of its wires."""

from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import measure_operator


def test_settled_values_change_wires_less_often_than_glitches_and_all_do(freepdk45):
    """An adder's carries ripple: its outputs glitch, and every change that settles is one of all changes."""
    found = measure_operator("add", "int8", freepdk45, Effort(cycles=8))
    assert 0 < found.wire_settled_fj < found.wire_fj
    assert 0 < found.settled_fj < found.total_fj
