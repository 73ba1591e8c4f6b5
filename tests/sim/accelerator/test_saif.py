"""Counts of toggles: by instance, as Verilator writes them, and of every word of every memory."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.rtl.config import COLUMNS, LANES, TOKENS, AcceleratorConfig
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator import native_build
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.saif import Toggles, read_toggles
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.reference.matmul import integer_matmul

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


TALL = AcceleratorConfig(lanes=8, columns=1, tokens=40, max_k=64, weight_bus_bits=16)


def words(toggles: Toggles, memory: str) -> dict[str, int]:
    """Return the changes of each word of a memory."""
    start = f"TOP/{TOP}/core/{memory}/storage["
    return {net.removeprefix(start): count for net, count in toggles.nets.items() if net.startswith(start)}


def stored_changes(config: AcceleratorConfig, x: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return how many bits of each token's sums change in memory: all sums but the complete ones are stored."""
    tiles = range(config.lanes, x.shape[1], config.lanes)
    before = np.zeros((len(x), config.columns), np.int64)
    changes = np.zeros(len(x), np.int64)
    for first in range(0, w.shape[1], config.columns):
        for k in tiles:
            after = np.zeros_like(before)
            part = integer_matmul(x[:, :k], w[:k, first : first + config.columns])
            after[:, : part.shape[1]] = part & ((1 << config.accumulator_bits) - 1)
            changes += np.bitwise_count(before ^ after).sum(axis=1).astype(np.int64)
            before = after
    return changes


def check_memories(config: AcceleratorConfig, columns: int) -> None:
    """Compare the toggles of each word of the accumulators with NumPy's sums, in a matmul of several tiles."""
    random = np.random.default_rng(4)
    x = random.integers(-128, 128, (config.tokens, 3 * config.lanes - 1), dtype=np.int8)
    w = random.integers(-1, 2, (x.shape[1], columns), dtype=np.int8)
    with Verilated(config, 1) as hardware:
        toggles = hardware.toggles(x, w).toggles
    assert toggles is not None
    found = words(toggles, "accumulators")
    assert set(found) == {f"{token}]" for token in range(config.tokens)}
    assert [found[f"{token}]"] for token in range(config.tokens)] == stored_changes(config, x, w).tolist()
    assert words(toggles, "queue")


def test_each_word_of_a_memory_of_more_than_32_is_counted_and_changes_as_its_sums_do() -> None:
    check_memories(TALL, 3)


@pytest.mark.slow
@pytest.mark.dear
def test_each_bit_of_the_accumulators_of_the_edge_array_is_counted() -> None:
    check_memories(read_configuration("edge_64x16"), 32)


def test_no_configuration_has_a_memory_or_a_vector_that_a_trace_would_leave_out() -> None:
    longest, widest = (int(native_build._WHOLE[place]) for place in (1, 3))
    assert longest >= max(TOKENS)
    assert widest >= max(LANES) * max(COLUMNS) * 16
    assert "--trace-underscore" in native_build._WHOLE
