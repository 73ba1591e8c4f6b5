"""Counts of toggles, by instance."""

from bitjoule.sim.accelerator.saif import Toggles


def test_a_net_counts_to_the_instance_that_holds_it_down_to_a_depth() -> None:
    toggles = Toggles(2, {"top/clock": 1, "top/array/sum": 10, "top/array/column/sum": 100, "top/array/row/x/y": 1000})
    assert toggles.instances(1) == {"top": 1111}
    assert toggles.instances() == {"top": 1, "top/array": 1110}
    assert toggles.instances(3) == {"top": 1, "top/array": 10, "top/array/column": 100, "top/array/row": 1000}
