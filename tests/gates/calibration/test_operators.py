"""What an operator's measurement tells of its wires."""

from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import measure_operator


def test_wires_take_less_for_changes_that_settle_than_for_all_with_glitches(freepdk45):
    """An adder's carries ripple: its outputs glitch, and every change that settles is one of all changes."""
    found = measure_operator("add", "int8", freepdk45, Effort(cycles=8))
    assert 0 < found.wire_settled_fj < found.wire_fj
    assert 0 < found.settled_fj < found.total_fj
