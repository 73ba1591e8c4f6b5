"""The netlist with all mutations, of which an input chooses one, in the shipped testbench and beside the good one."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.bench.cocotb_build import verilator_environment
from bitjoule.sim.bench.simulators import VERILATOR_GUARD, find_compiler, verilator_root
from bitjoule.sim.testbench.folder import testbench_files
from bitjoule.sim.testbench.stimulus import cases_of, stimulus_of

MUTATED, SELECT = "mutated", "mutant"
RANDOM_CASES, SEED = 20, 0  # the defaults of `bitjoule rtl testbench`
FINITE = 0xBFFF  # without the highest bit of an FP16 exponent
_YOSYS = "from pyosys import libyosys; libyosys.run_pass('script mutate.ys')"
_QUICKLY = ("OPT_FAST=-O0", "OPT_SLOW=-O0")  # a mutant runs for less time than the compiler would need
_RUNTIME = ("verilated", "verilated_timing", "verilated_threads")
_FLAGS = ("--cc", "--exe", "--main", "--timing", "-Wno-fatal", "-Wno-lint", "-Wno-style", *VERILATOR_GUARD, "-O3")


@dataclass(frozen=True)
class Mutants:
    """Two simulations that take ``+mutant=M``.

    Parameters
    ----------
    changes
        What each mutation is, in Yosys' words; mutant M is ``changes[M - 1]``.
    bench, comparison
        The shipped testbench, and the two accelerators side by side.
    folder
        Where they run.
    """

    changes: list[str]
    bench: Path
    comparison: Path
    folder: Path


def mutate(verilog: str, count: int, seed: int, folder: Path) -> tuple[str, list[str], int]:
    """Return Verilog with mutations, what they are, and the bits of the input that chooses one of them.

    Parameters
    ----------
    verilog
        Of the accelerator.
    count
        Mutations; Yosys draws them evenly over lines, wires and cells.
    seed
        Of the draw.
    folder
        Where files go.
    """
    bits = count.bit_length()
    (folder / "design.v").write_text(verilog, encoding="utf-8")
    commands = (
        "read_verilog design.v",
        f"hierarchy -top {TOP}",
        "proc",
        "flatten",
        "opt_clean",
        "memory_collect",  # the initial words become a parameter: only constants may be there
        f"mutate -list {count} -seed {seed} -ctrl {SELECT} {bits} 1 -o mutations.ys",
        "script mutations.ys",
        f"rename {TOP} {MUTATED}",
        f"write_verilog -noattr {MUTATED}.v",
    )
    (folder / "mutate.ys").write_text("\n".join(commands) + "\n")
    subprocess.run([sys.executable, "-c", _YOSYS], cwd=folder, check=True, capture_output=True)
    lines = (folder / "mutations.ys").read_text().splitlines()
    changes = [line.partition(f"-ctrl {SELECT} ")[2].partition(" ")[2].partition(" ")[2] for line in lines]
    return (folder / f"{MUTATED}.v").read_text(), changes, bits


def _chosen(config: AcceleratorConfig, bits: int) -> str:
    """Return a top module with the accelerator's name and ports, which chooses the mutation by a plusarg."""
    ports = {"clk": ("input", 1), "rst": ("input", 1)}
    widths = {"command": 64, "weights": config.weight_bus_bits, "activations": config.activation_bus_bits}
    for name, width in widths.items():
        ports |= {f"s_axis_{name}_tdata": ("input", width), f"s_axis_{name}_tvalid": ("input", 1)}
        ports |= {f"s_axis_{name}_tready": ("output", 1), f"s_axis_{name}_tlast": ("input", 1)}
    ports |= {"m_axis_results_tdata": ("output", config.result_bus_bits), "m_axis_results_tready": ("input", 1)}
    ports |= {f"m_axis_results_{name}": ("output", 1) for name in ("tvalid", "tlast", "tuser")}
    declared = ", ".join(f"{way} [{width - 1}:0] {name}" for name, (way, width) in ports.items())
    connected = ", ".join(f".{name}({name})" for name in ports)
    return (
        f"module {TOP}({declared});\n  integer unsigned number = 0;\n"
        f'  initial if ($value$plusargs("{SELECT}=%d", number)) ;\n'
        f"  {MUTATED} inner(.{SELECT}(number[{bits - 1}:0]), {connected});\nendmodule\n"
    )


def build(config: AcceleratorConfig, count: int, seed: int, folder: Path) -> Mutants:
    """Return the simulations of an accelerator's mutants.

    Parameters
    ----------
    config
        The accelerator.
    count, seed
        As for `mutate`.
    folder
        Where everything goes.
    """
    verilog, changes, bits = mutate(accelerator_verilog(config), count, seed, folder)
    stimulus = stimulus_of(config, cases_of(config, RANDOM_CASES, SEED))
    for name, text in testbench_files(config, _chosen(config, bits) + verilog, stimulus, "mutants").items():
        (folder / name).write_text(text, encoding="utf-8")
    floats = {"WEIGHT_MASK": config.weight_encoding == "fp16", "ACTIVATION_MASK": config.floating_point}
    masks = {name: FINITE if kind else 0xFFFF for name, kind in floats.items()}
    sizes = {
        "MUTANT_BITS": bits, "TOKENS": config.tokens, "LANES": config.lanes, "COLUMNS": config.columns,
        "MAX_K": config.max_k, "WEIGHT_BITS": config.weight_bus_bits, "ACTIVATION_BITS": config.activation_bus_bits,
        "RESULT_BITS": config.result_bus_bits, "WEIGHT_WORDS": -(-config.weight_bus_bits // 32),
        "ACTIVATION_WORDS": -(-config.activation_bus_bits // 32),
        **{name: f"32'h{mask << 16 | mask:x}" for name, mask in masks.items()},
    }  # fmt: skip
    (folder / "compare.vh").write_text("".join(f"localparam {name} = {value};\n" for name, value in sizes.items()))
    (folder / "compare.v").write_text((Path(__file__).parent / "compare.v").read_text())
    bench = _verilate(folder, "testbench", ["testbench.v", f"{TOP}.v"])
    return Mutants(changes, bench, _verilate(folder, "compare", ["compare.v", f"{TOP}.v"]), folder)


def _verilate(folder: Path, top: str, sources: list[str]) -> Path:
    objects = folder / f"obj_{top}"
    variables = [
        "CFG_CXXFLAGS_PCH_I=-include", "CFG_GCH_IF_CLANG=", "CFG_CXXFLAGS_STD=-std=c++20", f"PYTHON3={sys.executable}",
        "OPT_GLOBAL=-O1",
    ]  # fmt: skip

    def make(*targets: str) -> None:
        command = ["make", "-j", "2", "-C", str(objects), "-f", f"V{top}.mk", *variables, *_QUICKLY, *targets]
        environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
        subprocess.run(command, check=True, capture_output=True, env=environment)

    def compile_runtime(runtime: Path) -> None:
        names = [f"{name}.o" for name in _RUNTIME]
        make(*names)
        for name in names:
            shutil.copy(objects / name, runtime)

    with verilator_environment():
        program = str(verilator_root() / "bin" / "verilator")
        subprocess.run(
            [program, *_FLAGS, "--Mdir", objects.name, "--top-module", top, "-o", top, *sources],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        key = content_hash(importlib.metadata.version("verilator"), find_compiler(), *variables)
        later = time.time() + 3600  # else make compiles it again
        for file in cached(f"timed-runtime-{key}", compile_runtime).glob("*.o"):
            os.utime(shutil.copy(file, objects), (later, later))
        make()
    return objects / top
