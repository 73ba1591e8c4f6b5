import multiprocessing
import re
import shutil
import subprocess
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from vcdvcd import VCDVCD

from bitjoule import rtl
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator import generated, native_build, native_machine
from bitjoule.sim.accelerator.build_cache import cache_folder
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles, cycles_of
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import weight_stream
from bitjoule.sim.accelerator.verilated import PackedWeights, Verilated
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.reference.matmul import integer_matmul
from tests.sampling import sampled

TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)
CONFIGS = {
    "tiny": TINY,
    "decode": AcceleratorConfig(lanes=8, columns=8, max_k=300, weight_bus_bits=128, tokens=1, pipeline=0),
    "binary": AcceleratorConfig(8, 3, 100, 8, tokens=3, weight_encoding="binary1", pipeline=2),
    "ternary5": AcceleratorConfig(9, 7, 40, 24, tokens=16, weight_encoding="ternary5", activation_bits=5),
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


@pytest.mark.parametrize("name", CONFIGS)
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


def test_a_build_is_made_once_for_each_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path))  # of its own: what is built here is empty
    built = []

    def build(folder: Path, *_: object) -> None:
        built.append(folder)
        (folder / native_build.LIBRARY).touch()

    monkeypatch.setattr(native_build, "_compile_all", lambda *_: None)
    monkeypatch.setattr(native_build, "_build", build)
    first = native_build.native_library(TINY)
    made = first.stat().st_mtime_ns
    assert native_build.native_library(TINY) == first
    assert first.stat().st_mtime_ns == made
    assert len(built) == 1
    assert native_build.native_library(AcceleratorConfig(8, 4, 65, 32, tokens=4)) != first
    assert len(built) == 2
    assert [path.name for path in cache_folder().iterdir() if "." in path.name] == []


def test_whatever_decides_a_build_makes_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native_build, "cached", lambda name, _: Path(name))
    monkeypatch.setattr(native_build, "generated_verilog", lambda _: "module top; endmodule")
    monkeypatch.setattr(native_build, "find_compiler", lambda: "c++")
    monkeypatch.setattr(native_build, "_identity", lambda _: "#define one")
    usual = native_build.native_library(TINY)
    found = {usual, *(native_build.native_library(TINY, variant) for variant in ("saif", "vcd"))}
    for verilog in ("module top; endmodule", "module top; wire a; endmodule"):
        found.add(native_build.native_library(TINY, verilog=verilog))  # of a netlist: not optimised
    # The driver is compiled for the streams' widths.
    found.add(native_build.native_library(AcceleratorConfig(8, 4, 64, 64, tokens=4)))
    with monkeypatch.context() as patch:
        patch.setattr(native_build, "find_compiler", lambda: "clang++")
        found.add(native_build.native_library(TINY))
    with monkeypatch.context() as patch:
        patch.setattr(native_build, "_identity", lambda _: "#define two")  # of another machine, or version
        found.add(native_build.native_library(TINY))
    with monkeypatch.context() as patch:
        patch.setattr(native_build.importlib.metadata, "version", lambda _: "another")
        found.add(native_build.native_library(TINY))
    driver = tmp_path / "native"
    shutil.copytree(native_build.NATIVE, driver)
    monkeypatch.setattr(native_build, "NATIVE", driver)
    assert native_build.native_library(TINY) == usual
    sources = [path for path in driver.iterdir() if path.suffix in {".cpp", ".h"}]
    for path in sources:
        with path.open("a") as source:
            source.write("// changed\n")
        found.add(native_build.native_library(TINY))
    assert len(found) == 9 + len(sources)


@pytest.mark.usefixtures("empty_cache")
def test_verilog_is_generated_once_for_each_configuration_and_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    text = generated.generated_verilog(TINY)
    assert text == accelerator_verilog(TINY)

    def refuse(_: object) -> str:
        raise AssertionError("generated again")

    monkeypatch.setattr(generated, "accelerator_verilog", refuse)
    assert generated.generated_verilog(TINY) == text
    with pytest.raises(AssertionError, match="generated again"):
        generated.generated_verilog(AcceleratorConfig(8, 4, 66, 32, tokens=4))
    monkeypatch.setattr(generated.importlib.metadata, "version", lambda _: "another")
    with pytest.raises(AssertionError, match="generated again"):
        generated.generated_verilog(TINY)


def test_a_change_anywhere_in_the_generator_generates_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ask(name: str, _: object) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "accelerator.v").touch()
        asked.append(name)
        return tmp_path / name

    asked: list[str] = []
    monkeypatch.setattr(generated, "cached", ask)
    copy = tmp_path / "rtl"
    shutil.copytree(Path(rtl.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(rtl, "__file__", str(copy / "__init__.py"))
    generated.generated_verilog(TINY)
    modules = list(copy.rglob("*.py"))
    assert {"arithmetic", "rtl"} <= {path.parent.name for path in modules}
    for path in modules:
        with path.open("a") as module:
            module.write("# changed\n")
        generated.generated_verilog(TINY)
    assert len(set(asked)) == len(modules) + 1


def test_verilator_takes_its_own_files_whatever_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """VERILATOR_ROOT of another installation would mix its headers with this Verilator's code."""
    started = []

    def start(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        started.append((Path(command[0]), options["env"]))
        return subprocess.CompletedProcess(command, 0 if "-dM" in command else 1, "", "stopped")

    monkeypatch.setenv("VERILATOR_ROOT", "/opt/another")
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setattr(native_build.subprocess, "run", start)
    monkeypatch.setattr(native_build, "cached", lambda _, build: build(tmp_path) or tmp_path)
    monkeypatch.setattr(native_build, "_compile_all", lambda *_: None)
    with pytest.raises(SimulatorError, match="Verilator failed"):
        native_build.native_library(TINY, verilog="module top; endmodule")
    program, environment = started[-1]
    assert program == Path(environment["VERILATOR_ROOT"]) / "bin" / "verilator_bin"
    assert environment["KEPT"] == "kept"


def _cycles_of_new_build(_: int) -> int:
    config = AcceleratorConfig(8, 1, 60, 16, tokens=1, pipeline=0)
    with Verilated(config) as hardware:
        return hardware.matmul(np.ones((1, 60), np.int8), np.ones((60, 5), np.int8)).cycles


@pytest.mark.slow
def test_processes_may_compile_at_once() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_cycles_of_new_build, range(2), chunksize=1) == [43, 43]


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SimulatorError, match=r"C\+\+ compiler: install"):
        Verilated(TINY)


@pytest.mark.usefixtures("empty_cache")
def test_failing_compiler_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\ncase \"$*\" in *-dM*) echo 1;; *) echo 'it is broken' >&2; exit 1;; esac\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(SimulatorError, match="it is broken"):
        Verilated(TINY)
    assert [path.name for path in cache_folder().iterdir() if "." in path.name] == []


def test_damaged_build_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "accelerator.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr("bitjoule.sim.accelerator.verilated.native_library", lambda *_: broken)
    with pytest.raises(SimulatorError, match="delete it"):
        Verilated(TINY)


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
@pytest.mark.parametrize("name", sampled(["edge_64x16", "simulate_64x16"], 1, "layers"))
def test_shipped_arrays_multiply_layers(name: str) -> None:
    config = read_configuration(name)
    rng = np.random.default_rng(3)
    with Verilated(config) as hardware:
        for shape in ((1, 640, 2560), (3, 1000, 700)):
            x, w = operands(config, rng, *shape)
            outcome = hardware.matmul(x, w)
            np.testing.assert_array_equal(outcome.results, integer_matmul(x, w))
            assert outcome.cycles == cycles(config, *shape)
