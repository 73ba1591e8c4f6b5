"""Counts of toggles, by instance, and as Verilator writes them."""

from pathlib import Path

import pytest

from bitjoule.sim.accelerator.saif import Toggles, read_toggles

SAIF = """\
(SAIFILE
(SAIFVERSION "2.0")
(INSTANCE top
 (NET
 (clock (T0 5) (T1 5) (TZ 0) (TX 0) (TB 0) (TC {clock}))
 (sum\\[0\\] (T0 5) (T1 5) (TZ 0) (TX 0) (TB 0) (TC {low}))
 (sum\\[1\\] (T0 5) (T1 5) (TZ 0) (TX 0) (TB 0) (TC 4))
 )
 (INSTANCE array
  (NET
  (pair (T0 5) (T1 5) (TZ 0) (TX 0) (TB 0) (TC 9))
  (pair.first (T0 5) (T1 5) (TZ 0) (TX 0) (TB 0) (TC 6))
  )
 )
)
)
"""


def test_a_net_counts_to_the_instance_that_holds_it_down_to_a_depth() -> None:
    toggles = Toggles(2, {"top/clock": 1, "top/array/sum": 10, "top/array/column/sum": 100, "top/array/row/x/y": 1000})
    assert toggles.instances(1) == {"top": 1111}
    assert toggles.instances() == {"top": 1, "top/array": 1110}
    assert toggles.instances(3) == {"top": 1, "top/array": 10, "top/array/column": 100, "top/array/row": 1000}


def test_the_changes_of_a_window_are_those_of_its_file_less_those_of_its_first_cycle(tmp_path: Path) -> None:
    (tmp_path / "window.saif").write_text(SAIF.format(clock=20, low=7))
    (tmp_path / "before.saif").write_text(SAIF.format(clock=2, low=1).replace("(TC 4)", "(TC 1)"))
    toggles = read_toggles(tmp_path / "window.saif", tmp_path / "before.saif", 10)
    assert toggles == Toggles(10, {"top/clock": 18, "top/sum": (7 - 1) + (4 - 1), "top/array/pair": 0})
    assert toggles.total == 27


def test_files_of_two_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "window.saif").write_text(SAIF.format(clock=20, low=7))
    (tmp_path / "before.saif").write_text(SAIF.format(clock=2, low=1).replace("clock", "clk"))
    with pytest.raises(ValueError, match=r"window.saif and .*before.saif name different nets"):
        read_toggles(tmp_path / "window.saif", tmp_path / "before.saif", 10)
