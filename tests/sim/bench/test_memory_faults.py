"""Accumulators in memory against NumPy, and faults put into them: the bench must find each."""

import pytest

from bitjoule.rtl import accelerator, accumulators, sum_memory
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import accelerator_verilog
from bitjoule.sim.bench.cases import directed_cases, random_cases
from tests.sampling import sampled
from tests.sim.bench.faulty import failure, faulty

pytestmark = pytest.mark.slow

CONFIG = AcceleratorConfig(8, 2, 64, 32, tokens=3, accumulators="memory")
CONFIGURATIONS = {
    "three tokens": CONFIG,
    "two tokens, no pipeline": AcceleratorConfig(8, 3, 40, 16, tokens=2, pipeline=0, accumulators="memory"),
    "deep pipeline": AcceleratorConfig(16, 2, 64, 64, tokens=5, pipeline=4, accumulators="memory"),
    "int8": AcceleratorConfig(8, 2, 64, 128, tokens=4, weight_encoding="int8", accumulators="memory"),
    "scaled": AcceleratorConfig(8, 2, 300, 64, tokens=2, activation_bits=16, accumulators="memory"),
    "fused": AcceleratorConfig(8, 1, 64, 128, tokens=2, weight_encoding="fp16", accumulators="memory"),
}

# name: (module, what stands there, what the fault makes of it)
KEPT = "Mux(forwarded, latest, storage.read_data)"
FAULTS = {
    "sums do not go around the memory": (accumulators, KEPT, "storage.read_data"),
    "sums always go around the memory": (accumulators, KEPT, "latest"),
    "sums of another token go around the memory": (accumulators, " & (self.token == self.upcoming.token)", ""),
    "sums go around the memory before they are added to": (
        accumulators, "latest.eq(self.following)", "latest.eq(self.previous)"
    ),
    "the token of this cycle is read": (accumulators, "read_addr.eq(self.upcoming.token)", "read_addr.eq(self.token)"),
    "the next token is written": (accumulators, "write_addr.eq(self.token)", "write_addr.eq(self.upcoming.token)"),
    "sums that go on are not read": (
        accumulators, "read_en.eq(continues & ~collides)", "read_en.eq(self.upcoming.first)"
    ),
    "nothing is written": (accumulators, "write_en.eq(writes)", "write_en.eq(0)"),
    "all tokens share one word": (sum_memory, "addr=self.write_addr", "addr=self.write_addr & 0"),
}  # fmt: skip


def verilog_of(monkeypatch, module, there, fault):
    """Return the Verilog of the configuration with a fault in a module's source."""
    altered = faulty(module, there, fault)
    if module is sum_memory:
        monkeypatch.setattr(accumulators, "SumMemory", altered.SumMemory)
    else:
        monkeypatch.setattr(accelerator, "Accumulators", altered.Accumulators)
    return accelerator_verilog(CONFIG)


@pytest.mark.parametrize("name", sampled(CONFIGURATIONS, 1, "accumulators in memory", always=["three tokens"]))
def test_results_and_cycles_are_those_of_registers(name, hardware, fast_build):
    config = CONFIGURATIONS[name]
    cases = [*directed_cases(config), *random_cases(config, matmuls=100, seed=len(name))]
    report = hardware(config, fast_build).verify(cases)
    assert report.failure is None, report.failure
    assert report.matmuls >= 100
    assert report.exact_cycles >= 60


@pytest.mark.parametrize("fault", sampled(FAULTS, 2, "faults of accumulators in memory"))
def test_the_bench_finds(fault, hardware, fast_build, monkeypatch):
    assert failure(hardware, CONFIG, fast_build, verilog_of(monkeypatch, *FAULTS[fault])) is not None
