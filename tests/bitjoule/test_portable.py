"""Every module can be imported where the system has no file locks, no processor affinity and no signals of Unix."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.native_build import native_library
from bitjoule.sim.bench import simulators
from tests.sampling import sampled

# asyncio and what imports it need fcntl on Linux, but not where there is none: their modules are loaded before.
IMPORT_ALL = """
import asyncio, importlib, os, pkgutil, signal, sys, warnings
import filelock
{without}
import bitjoule
warnings.simplefilter("ignore")
skipped = {skipped!r}
names = [found.name for found in pkgutil.walk_packages(bitjoule.__path__, "bitjoule.", onerror=lambda _: None)
         if not found.name.startswith(skipped) and not found.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names), all(name in sys.modules for name in names))
"""
WITHOUT = {
    "fcntl": "sys.modules['fcntl'] = None",
    "Unix modules": "for name in ('fcntl', 'resource', 'termios', 'grp'): sys.modules[name] = None",
    "affinity": "del os.sched_getaffinity",
    "signals": "del signal.SIGKILL, signal.SIGHUP, signal.SIGALRM, os.fork, os.getuid, os.setsid, os.killpg",
}
SKIPPED = ("bitjoule.sim.training",)  # needs torch, which takes seconds


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", sampled(WITHOUT, 1, "systems without"))
def test_every_module_is_imported_without(what: str) -> None:
    count, whole = run(IMPORT_ALL.format(without=WITHOUT[what], skipped=SKIPPED)).split()
    assert int(count) > 150
    assert whole == "True"


def test_a_machine_without_affinity_uses_all_its_processors() -> None:
    program = "import os; del os.sched_getaffinity; os.cpu_count = lambda: {}\n"
    program += "from bitjoule.sim.processors import usable_processors; print(usable_processors())"
    assert run(program.format(7)) == "7\n"
    assert run(program.format(None)) == "1\n"


def test_what_a_system_cannot_run_says_so_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulators, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(simulators.sys, "platform", "win32")
    for enter in (
        lambda: native_library(read_configuration("tiny_8x4")),
        lambda: simulators.check_simulator("verilator"),
    ):
        with pytest.raises(simulators.SimulatorError) as caught:
            enter()
        assert str(caught.value) == (
            "simulation of the accelerator needs Linux or macOS, not win32; energy experiments and models on NumPy "
            "run here"
        )
