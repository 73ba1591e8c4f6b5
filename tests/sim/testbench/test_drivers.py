"""A testbench in a fresh directory, with nothing but what the command wrote."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from bitjoule import cli
from tests.sampling import sampled
from tests.sim.bench.test_faults import FAULTS, with_fault

pytestmark = pytest.mark.slow

VERILOG = "bitjoule_accelerator.v"


def make(folder, *arguments):
    """Run make in a folder, without what this process adds to the path of Python."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MAKEFLAGS")}
    return subprocess.run(
        ["make", f"PYTHON={sys.executable}", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, env=environment, timeout=500,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a directory that the command wrote for `tiny_8x4`."""
    folder = tmp_path_factory.mktemp("written") / "bench"
    assert cli.main(["rtl", "testbench", "tiny_8x4", "-o", str(folder), "--matmul", "9x30x10"]) == 0
    return folder


@pytest.fixture
def fresh(written, tmp_path):
    """Return a copy of it that a test may change."""
    return shutil.copytree(written, tmp_path / "fresh")


def test_it_passes_in_icarus(fresh, icarus):
    run = make(fresh, f"SIM={icarus}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^PASSED: results equal bit for bit, 31 cycle counts equal$", run.stdout, re.MULTILINE)
    assert [path.name for path in fresh.iterdir() if path.is_dir()] == [".build"]


def test_it_passes_in_verilator_and_a_fault_put_in_makes_it_fail(fresh):
    run = make(fresh)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "PASSED" in run.stdout
    verilog = (fresh / VERILOG).read_text()
    (fresh / VERILOG).write_text(with_fault(verilog, *FAULTS["a lane's sign is wrong"]))
    run = make(fresh)
    assert run.returncode != 0
    assert re.search(r"^FAILED: a result is wrong \(pass 1, command \d+ of 39, ", run.stdout, re.MULTILINE)


@pytest.mark.parametrize("fault", sampled(FAULTS, 3, "faults in the testbench"))
def test_a_fault_put_into_its_verilog_makes_it_fail(fault, fresh, icarus):
    verilog = (fresh / VERILOG).read_text()
    (fresh / VERILOG).write_text(with_fault(verilog, *FAULTS[fault]))
    run = make(fresh, f"SIM={icarus}")
    assert run.returncode != 0
    assert re.search("^FAILED: ", run.stdout, re.MULTILINE), run.stdout + run.stderr


# Mutants that Yosys drew, and that the testbench did not find before it had a case of the largest K.
SURVIVED = {
    "K is reloaded without its highest bit": (
        "sequencer", r"(if \(last_k\) begin\s+\\\$\d+  = )k;", r"\1{ 1'h0, k[5:0] };"
    ),
    "the largest K changes between tokens": (
        "sequencer", r"(\\\$\d+  = )k_left;", r"\1{ k_left[6:4], k_left[3] ^ k_left[6], k_left[2:0] };"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SURVIVED)
def test_a_mutant_that_survived_once_is_found(fault, fresh, icarus):
    verilog = (fresh / VERILOG).read_text()
    (fresh / VERILOG).write_text(with_fault(verilog, *SURVIVED[fault]))
    run = make(fresh, f"SIM={icarus}")
    assert run.returncode != 0
    assert re.search("^FAILED: ", run.stdout, re.MULTILINE), run.stdout + run.stderr


def test_its_cocotb_driver_passes_and_finds_a_fault(fresh, icarus):
    run = make(fresh, "cocotb", f"SIM={icarus}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "TESTS=2 PASS=2" in run.stdout + run.stderr
    verilog = (fresh / VERILOG).read_text()
    (fresh / VERILOG).write_text(with_fault(verilog, *FAULTS["a sum is not sign-extended"]))
    run = make(fresh, "cocotb", f"SIM={icarus}")
    assert run.returncode != 0
    assert "FAIL=2" in run.stdout + run.stderr


@pytest.fixture(scope="module")
def built(written, tmp_path_factory, icarus):
    """Return a copy whose cocotb driver has run, so that its build is there."""
    folder = shutil.copytree(written, tmp_path_factory.mktemp("built") / "bench")
    assert make(folder, "cocotb", f"SIM={icarus}").returncode == 0
    return folder


def flipped(word, what):
    """Return a word of results.hex (``FLAGS_USED_VALUE``) with a flag or bit 0 of the value turned over."""
    flags, used, value = word.split("_")
    if what == "value":
        return f"{flags}_{used}_{int(value, 16) ^ 1:0{len(value)}x}"
    return f"{int(flags, 16) ^ {'tlast': 1, 'tuser': 2}[what]:x}_{used}_{value}"


LEFT_OVER = 600  # words: more than the accelerator and a simulated stream hold


CHECKS = {  # of the driver: the file in which something is changed, how, and what is told
    "commands": ("commands", lambda words: words + words[-1:] * LEFT_OVER, "beats of command are left over"),
    "weights": ("weights", lambda words: words + words[-1:] * LEFT_OVER, "beats of weights are left over"),
    "activations": ("activations", lambda words: words + words[-1:] * LEFT_OVER, "beats of activations are left over"),
    "one result more": ("results", lambda words: words[:-1], "more results than expected"),
    "value": ("results", lambda words: [flipped(words[0], "value"), *words[1:]], "command 0, result 0: expected"),
    "tlast": ("results", lambda words: [flipped(words[0], "tlast"), *words[1:]], "command 0, result 0: tlast"),
    "tuser": ("results", lambda words: [flipped(words[0], "tuser"), *words[1:]], "command 0, result 0: tuser"),
}


@pytest.mark.parametrize("check", sampled(CHECKS, 2, "checks of the cocotb driver"))
def test_each_check_of_the_cocotb_driver_can_fail(check, built, tmp_path, icarus):
    """What is sent and expected is changed instead of the hardware: the build is the same."""
    file, change, message = CHECKS[check]
    folder = shutil.copytree(built, tmp_path / "changed")
    path = folder / f"{file}.hex"
    path.write_text("\n".join(change(path.read_text().split())) + "\n")
    run = make(folder, "cocotb", f"SIM={icarus}")
    assert run.returncode != 0
    assert "FAIL=2" in run.stdout + run.stderr
    assert message in run.stdout + run.stderr


@pytest.mark.dear
def test_its_cocotb_driver_passes_in_verilator(fresh):
    run = make(fresh, "cocotb")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "TESTS=2 PASS=2" in run.stdout + run.stderr


@pytest.mark.parametrize(
    "name",
    sampled(["edge_64x16", "decode_64x5", "int8_8x4", "fp16_fused_8x4", "ternary_fp16_8x4"], 1, "testbenches"),
)
def test_other_configurations_pass(name, tmp_path, icarus):
    folder = tmp_path / "bench"
    assert cli.main(["rtl", "testbench", name, "-o", str(folder), "--cases", "5"]) == 0
    run = make(folder, f"SIM={icarus}", "PAUSE=200", "SEED=9")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("argument", "expected"), [("PAUSE=250", "expected 0 to 240"), ("SIM=x", "verilator or icarus")]
)
def test_wrong_arguments_of_make_are_answered(argument, expected, fresh, icarus):
    run = make(fresh, f"SIM={icarus}", argument)
    assert run.returncode != 0
    assert expected in run.stdout + run.stderr
