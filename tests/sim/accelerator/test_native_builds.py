"""Builds of the native simulator: what decides one, what is made once, and what a failing tool says."""

import multiprocessing
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule import rtl
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.conversion import plain_names
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.accelerator import generated, native_build
from bitjoule.sim.accelerator.build_cache import cache_folder
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.bench.simulators import SimulatorError

TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)


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
    rules = native_build._RULES
    assert {path.name for path in rules} == {"code.py", "split.py", "initial_words.py", "native_build.py"}
    for i, path in enumerate(rules):
        changed = tmp_path / path.name
        changed.write_text(path.read_text() + "# changed\n")
        with monkeypatch.context() as patch:
            patch.setattr(native_build, "_RULES", (*rules[:i], changed, *rules[i + 1 :]))
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
    assert len(found) == 9 + len(rules) + len(sources)


@pytest.mark.usefixtures("empty_cache")
def test_verilog_is_generated_once_for_each_configuration_and_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    text = generated.generated_verilog(TINY)
    assert plain_names(text) == accelerator_verilog(TINY)

    def refuse(*_: object, **__: object) -> str:
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
