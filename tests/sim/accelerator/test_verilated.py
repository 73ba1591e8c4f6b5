import re
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from vcdvcd import VCDVCD

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator import native_machine
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles, cycles_of
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import weight_stream
from bitjoule.sim.accelerator.verilated import PackedWeights, Verilated
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.reference.matmul import integer_matmul
from tests.sampling import sampled, seldom

TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)
CONFIGS = {
    "tiny": TINY,
    "decode": AcceleratorConfig(lanes=8, columns=8, max_k=300, weight_bus_bits=128, tokens=1, pipeline=0),
    "binary": AcceleratorConfig(8, 3, 100, 8, tokens=3, weight_encoding="binary1", pipeline=2),
    "ternary5": AcceleratorConfig(9, 7, 40, 24, tokens=16, weight_encoding="ternary5", activation_bits=5),
    # Side by side in two vectors, of which the second has one column, and with select lines of more than 64 bits.
    "two vectors": AcceleratorConfig(lanes=8, columns=17, max_k=300, weight_bus_bits=272, tokens=1),
    "wide selects": AcceleratorConfig(lanes=70, columns=4, max_k=300, weight_bus_bits=560, tokens=2),
    "wide bus, bytes": AcceleratorConfig(10, 1, 30, 80, tokens=2, activation_bits=2, datapath="carry_chain"),
}


def operands(
    config: AcceleratorConfig, rng: np.random.Generator, m: int, k: int, n: int
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    limit = 1 << (config.activation_bits - 1)
    x = rng.integers(-limit, limit, (m, k)).astype(np.int8)
    if rng.random() < 0.2:
        x[:] = -limit
    w = rng.integers(-1, 2, (k, n)).astype(np.int8)
    return x, w if config.encoding.zero else np.where(w >= 0, 1, -1).astype(np.int8)


def shapes(config: AcceleratorConfig, rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    edges = [(1, 1, 1), (config.tokens + 1, config.max_k, config.columns + 1), (config.tokens, config.lanes, 1)]
    sizes = (3 * config.tokens + 2, config.max_k + 1, 5 * config.columns)
    return edges + [tuple(int(size) for size in rng.integers(1, sizes)) for _ in range(count)]  # type: ignore[misc]


@pytest.mark.parametrize("name", sampled(CONFIGS, 2, "native arrays", always=["tiny"]))
def test_products_and_cycles_are_exact(name: str) -> None:
    config = CONFIGS[name]
    rng = np.random.default_rng(5)
    with Verilated(config, workers=1) as hardware:
        given = [operands(config, rng, *shape) for shape in shapes(config, rng, 40)]
        for x, w in given:
            outcome = hardware.matmul(x, w)
            np.testing.assert_array_equal(outcome.results, integer_matmul(x, w))
            assert outcome.results.dtype == np.int32
            assert outcome.cycles == cycles(config, *x.shape, w.shape[1])
            packed = hardware.pack(w)
            beats = packed.tiles.reshape(-1, config.weight_bus_bits // 8)
            np.testing.assert_array_equal(beats, weight_stream(config, w))
        outcomes = hardware.sequence(given)
        assert [outcome.cycles for outcome in outcomes] == cycles_of(config, [(*x.shape, w.shape[1]) for x, w in given])
        for (x, w), outcome in zip(given, outcomes, strict=True):
            np.testing.assert_array_equal(outcome.results, integer_matmul(x, w))
        assert hardware.sequence([]) == []


def test_workers_change_nothing() -> None:
    rng = np.random.default_rng(7)
    x, w = operands(TINY, rng, 9, 64, 4001)
    x = np.concatenate([x] * 40)
    with Verilated(TINY, workers=3) as hardware:
        outcome = hardware.matmul(x, hardware.pack(w))
        assert sum(machine is not None for machine in hardware._machines) == 3
    np.testing.assert_array_equal(outcome.results, integer_matmul(x, w))
    assert outcome.cycles == cycles(TINY, 360, 64, 4001)


def test_packing_in_parts_equals_packing_whole() -> None:
    w = np.random.default_rng(8).integers(-1, 2, (1030, 1101)).astype(np.int8)
    config = AcceleratorConfig(8, 8, 4096, 256, tokens=1, pipeline=0)
    with Verilated(config, workers=3) as hardware:
        tiles = hardware.pack(w).tiles
        assert not np.shares_memory(tiles, w)
        np.testing.assert_array_equal(tiles.reshape(-1, 32), weight_stream(config, w))
        np.testing.assert_array_equal(hardware.pack(w.T.copy().T).tiles, tiles)


def ones(*shape: int) -> NDArray[np.int8]:
    return np.ones(shape, np.int8)


@pytest.mark.parametrize(
    ("x", "w", "what"),
    [
        (ones(1, 8), ones(9, 4), "not \\(M, K\\)"),
        (ones(1, 65), ones(65, 4), "M 1, K 65, N 4: expected positive M and N, and K from 1 to 64"),
        (ones(0, 8), ones(8, 4), "neither empty"),
        (ones(1, 0), ones(0, 4), "neither empty"),
        (ones(8), ones(8, 4), "two dimensions"),
        (ones(1, 8), ones(8, 4) * 2, "a weight is not"),
        (ones(1, 8), ones(8, 4) * -128, "a weight is not"),
        (ones(65536, 1), ones(1, 1), "does not fit"),
    ],
)
def test_operands_that_do_not_fit_are_refused(x: NDArray[np.int8], w: NDArray[np.int8], what: str) -> None:
    with Verilated(TINY) as hardware, pytest.raises(ValueError, match=what):
        hardware.matmul(x, w)


def test_types_are_refused() -> None:
    with Verilated(TINY) as hardware:
        with pytest.raises(TypeError, match="int64"):
            hardware.matmul(np.ones((1, 8), np.int64), ones(8, 4))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="list"):
            hardware.pack([[1]])  # type: ignore[arg-type]


def test_values_outside_the_configuration_are_refused() -> None:
    with Verilated(CONFIGS["binary"]) as hardware, pytest.raises(ValueError, match="binary1"):
        hardware.pack(np.zeros((8, 3), np.int8))
    config = CONFIGS["wide bus, bytes"]
    with Verilated(config) as hardware, pytest.raises(ValueError, match="-2 to 1"):
        hardware.matmul(ones(1, 8) * 2, ones(8, 1))
    with pytest.raises(ValueError, match="workers"):
        Verilated(TINY, workers=0)


def test_packed_weights_know_their_configuration() -> None:
    with Verilated(TINY) as tiny, Verilated(CONFIGS["decode"]) as decode:
        packed = decode.pack(ones(8, 8))
        with pytest.raises(ValueError, match="the weights are packed for a different configuration"):
            tiny.matmul(ones(1, 8), packed)
        with pytest.raises(ValueError, match="expected contiguous uint8"):
            PackedWeights(TINY, 8, 8, packed.tiles)


def test_a_stopped_run_is_followed_by_a_good_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_machine, "_SLICE_CYCLES", 7)
    x, w = operands(TINY, np.random.default_rng(1), 5, 64, 30)
    with Verilated(TINY, workers=1) as hardware:
        task = hardware._task(x, w)
        library = hardware._library("fast")
        run = library.bitjoule_run

        class Interrupting:
            calls = 0

            def __getattr__(self, name: str) -> object:
                return getattr(library, name)

            def bitjoule_run(self, *arguments: object) -> int:
                self.calls += 1
                if self.calls == 3:
                    raise KeyboardInterrupt
                return run(*arguments)  # type: ignore[no-any-return]

        hardware._machine(0)._library = Interrupting()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            hardware.matmul(x, w)
        stopped = threading.Event()
        stopped.set()
        with pytest.raises(SimulatorError, match="stopped"):
            hardware._machine(0).run([task], stopped)
        np.testing.assert_array_equal(hardware.matmul(x, w).results, integer_matmul(x, w))


def test_hardware_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_machine, "cycles_of", lambda *_: [-native_machine._OVERDUE_CYCLES])
    with Verilated(TINY, workers=1) as hardware, pytest.raises(SimulatorError, match="did not finish its matmuls"):
        hardware.matmul(ones(1, 8), ones(8, 4))


@pytest.mark.slow
def test_toggles_are_those_of_the_waveform(tmp_path: Path) -> None:
    x, w = operands(TINY, np.random.default_rng(2), 6, 50, 11)
    window = Window(3, 40)
    with Verilated(TINY) as hardware:
        outcome = hardware.toggles(x, w, window)
        waved = hardware.waveform(tmp_path / "a.vcd", x, w, window)
        for found in (outcome, waved):
            np.testing.assert_array_equal(found.results, integer_matmul(x, w))
            assert found.cycles == cycles(TINY, 6, 50, 11)
        assert hardware.toggles(x, w, window).toggles == outcome.toggles
        with pytest.raises(ValueError, match="window begins"):
            hardware.toggles(x, w, Window(10_000, 5))
        assert hardware.toggles(x, w).toggles.cycles == outcome.cycles
    toggles = outcome.toggles
    assert toggles is not None
    assert toggles.cycles == 40
    wave = VCDVCD(str(tmp_path / "a.vcd"))
    assert wave.begintime >= 2 * 3
    assert wave.endtime == 2 * 43 - 1
    counted = {path.replace("/", "."): count for path, count in toggles.nets.items()}
    checked = 0
    for name in wave.signals:
        net = re.sub(r"\[\d+:\d+\]$", "", name)
        if net in counted and not net.endswith(".clk"):
            values = [int(wave[name][2 * cycle + 1], 2) for cycle in range(3, 43)]
            assert counted[net] == sum((a ^ b).bit_count() for a, b in pairwise(values)), name
            checked += 1
    assert checked > 300
    assert toggles.total == sum(toggles.instances().values()) == sum(toggles.instances(9).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    sampled(
        ["int8_8x4", "fp16_fused_8x4", "fp16_8x4", "fp16_fp16_8x4", "ternary5_fp16_8x4", "binary_fp16_8x4"],
        1,
        "arrays that multiply",
    ),
)
def test_arrays_that_multiply_give_numpys_products_after_the_closed_forms_cycles(name: str) -> None:
    config = read_configuration(name)
    rng = np.random.default_rng(5)
    shape = (5, 50, 9)
    pair = (rng.normal(0, 1, shape[:2]), rng.normal(0, 1, shape[1:]))
    x, w = (values.astype(np.float16) if config.floating_point else (30 * values).astype(np.int8) for values in pair)
    if config.scaled:
        w = np.copysign(np.float16(0.3), w)
    with Verilated(config) as hardware:
        outcome = hardware.matmul(x, w)
    np.testing.assert_array_equal(outcome.results, expected_product(config, x, w))
    assert outcome.cycles == cycles(config, *shape)


def test_windows_are_checked() -> None:
    for first, count in ((-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="expected at least 1 cycle, from 0 on"):
            Window(first, count)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["simulate_64x16", *seldom(["edge_64x16"], 4, "layers")])  # the first is built anyway
def test_shipped_arrays_multiply_layers(name: str) -> None:
    config = read_configuration(name)
    rng = np.random.default_rng(3)
    with Verilated(config) as hardware:
        for shape in ((1, 640, 2560), (3, 1000, 700)):
            x, w = operands(config, rng, *shape)
            outcome = hardware.matmul(x, w)
            np.testing.assert_array_equal(outcome.results, integer_matmul(x, w))
            assert outcome.cycles == cycles(config, *shape)
