"""What `rtl verify` prints and writes, of a result that stands in place of a run.

No two of its numbers are equal; the texts are written out by hand from them.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitjoule.experiments.output import workers
from bitjoule.sim.bench import verification
from tests.bitjoule.commands.hardware.printed import ARRAY, rows_of

LINEAR = ARRAY + "linear: {format: bf16, lanes: 2}\n"
CASE = {"name": "zero, then minus", "seed": 77, "shapes": [[1, 8, 2], [3, 20, 5]]}
FAILURE = {
    "case": CASE, "matmul": 1, "shape": [3, 20, 5], "element": [2, 4], "what": "a result", "expected": -17, "got": 19,
    "wrong_elements": 6,
}  # fmt: skip


def of_chance(cases):
    """Return the cases that a seed drew."""
    return [case for case in cases if re.fullmatch(r"random \d+", case.name)]


class Bench:
    """In place of the hardware: remembers what it is asked, and answers with a report."""

    def __init__(self, **report):
        self.report = {"matmuls": 41, "exact_cycles": 23, "failure": None, "cycles": 9700, "seconds": 3.25, **report}
        self.made, self.run = [], []

    def __call__(self, _, folder, simulator, *, waves=False, verilog=None):
        self.made.append((simulator, waves, verilog))
        folder.mkdir(parents=True, exist_ok=True)
        self.wave = folder / "dump.fst"
        self.wave.write_text(f"waves of build {len(self.made)}")
        return self

    def verify(self, cases, **_):
        self.run.append(list(cases))
        return verification.VerificationReport(**{"cases": len(cases), **self.report})

    def waveform(self):
        return self.wave


@pytest.fixture
def bench(monkeypatch):
    def answer(**report):
        made = Bench(**report)
        monkeypatch.setattr(verification, "Hardware", made)
        monkeypatch.setattr("bitjoule.commands.hardware.rtl.check_simulator", lambda _: None)
        return made

    return answer


@pytest.mark.parametrize(("text", "around"), [(ARRAY, ""), (LINEAR, "; whole BitLinear, bf16, 2 lanes")])
def test_verify_prints_the_report(bitjoule, bench, config, text, around):
    config.write_text(text)
    made = bench()
    options = ("--cases", 7, "--seed", 5, "--matmul", "3x20x5", "--matmul", "1x8x2", "--simulator", "icarus")
    status, out, err = bitjoule("rtl", "verify", config, *options)
    assert (status, err) == (0, "")
    assert made.made == [("icarus", False, None)]
    [cases] = made.run
    random = len(of_chance(cases))
    asked = cases[-random - 2 : -random]
    assert [(*map(tuple, case.shapes), case.seed) for case in asked] == [((3, 20, 5), 5), ((1, 8, 2), 5)]
    assert sum(len(case.shapes) for case in of_chance(cases)) == 7
    assert list(rows_of(out).items()) == [
        ("configuration", f"mine: 8 x 2, ternary2, carry_save{around}"),
        ("simulator", "icarus"),
        (
            "cases",
            f"{len(cases)} of {len(cases)} passed ({len(cases) - random - 2} directed, 2 asked for, {random} random, "
            "of 7 matmuls together)",
        ),
        ("matmuls", "41, results equal bit for bit"),
        ("cycle counts", "23 predicted by the cycle model, all equal"),
        ("simulated", "9700 cycles in 3.2 s, 3.0 k cycles/s"),
        ("seed", "5"),
    ]
    assert [path.name for path in config.parent.iterdir()] == ["mine.yaml"]


def test_another_seed_makes_other_cases_and_the_directed_ones_stay(bitjoule, bench, config):
    runs = []
    for seed in (1, 1, 2):
        made = bench()
        assert bitjoule("rtl", "verify", config, "--cases", 4, "--seed", seed)[0] == 0
        runs.append(made.run[0])
    assert runs[0] == runs[1]
    first, other = (of_chance(run) for run in runs[1:])
    assert runs[0][: -len(first)] == runs[2][: -len(other)]
    assert not set(map(repr, first)) & set(map(repr, other))


def test_verify_of_verilog_that_is_given_builds_that(bitjoule, bench, config):
    made = bench()
    text = "\n  module bitjoule_accelerator (input clk);\nendmodule\n"
    Path("given.v").write_text(text)
    assert bitjoule("rtl", "verify", config, "--verilog", "given.v", "--cases", 0)[0] == 0
    assert made.made == [("verilator", False, text)]
    config.write_text(LINEAR)
    status, _, err = bitjoule("rtl", "verify", config, "--verilog", "given.v")
    assert status == 2
    assert "given.v:1: file: contains no module bitjoule_bitlinear; expected " in err


def test_waves_that_are_asked_for_are_those_of_the_run(bitjoule, bench, config):
    made = bench()
    status, out, _ = bitjoule("rtl", "verify", config, "--cases", 1, "--waves", "--out", "w")
    assert (status, made.made) == (0, [("verilator", True, None)])
    assert rows_of(out)["waveform"] == "w/mine.fst"
    assert Path("w/mine.fst").read_text() == "waves of build 1"
    assert [path.name for path in Path("w").iterdir()] == ["mine.fst"]


@pytest.mark.parametrize("waves", [False, True])
def test_a_mismatch_is_told_whole_and_repeated_with_the_case_before_it_for_a_waveform(bitjoule, bench, config, waves):
    made = bench(cases=6, failure=FAILURE)
    options = ["--waves"] if waves else []
    status, out, err = bitjoule("rtl", "verify", config, "--cases", 9, "--seed", 12, "--out", "w", *options)
    assert status == 1
    assert err.splitlines() == [
        "bitjoule: mismatch in case 'zero, then minus' (case seed 77, --seed 12)",
        "  matmul 2 of 2: M 3, K 20, N 5",
        "  mismatch: a result [2, 4]",
        "  expected: -17",
        "  got: 19",
        "  mismatching elements: 6",
        "  waveform: w/mine.fst",
    ]
    assert rows_of(out)["cases"].startswith(f"6 of {len(made.run[0])} passed (")
    assert rows_of(out)["waveform"] == "w/mine.fst"
    assert made.made[-1] == ("verilator", True, None)
    assert Path("w/mine.fst").read_text() == f"waves of build {1 if waves else 2}"
    assert made.run[1:] == ([] if waves else [made.run[0][5:7]])


def test_a_mismatch_without_matmul_or_element_names_neither(bitjoule, bench, config):
    bench(cases=0, failure={"case": CASE, "what": "the bench did not end"})
    err = bitjoule("rtl", "verify", config, "--cases", 0, "--out", "w")[2]
    assert err.splitlines()[1:] == ["  mismatch: the bench did not end", "  waveform: w/mine.fst"]


class Executor:
    """In place of a cluster's: runs at once, and counts."""

    def __init__(self):
        self.chunks = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def submit(self, function, config, simulator, verilog, chunk):
        self.chunks.append(list(chunk))
        report = function(config, simulator, verilog, chunk)
        return SimpleNamespace(result=lambda: report)


def test_on_a_cluster_each_case_runs_once_and_the_reports_are_added(bitjoule, bench, config, monkeypatch):
    made = bench(matmuls=11, exact_cycles=4, cycles=500, seconds=0.25)
    executor, asked = Executor(), []
    monkeypatch.setattr(workers, "executor_of", lambda *arguments: asked.append(arguments) or executor)
    monkeypatch.setattr("bitjoule.sim.bench.chunks.verify_chunk", lambda *arguments: made.verify(arguments[-1]))
    status, out, _ = bitjoule("rtl", "verify", config, "--cases", 40, "--scheduler", "far:8786")
    assert (status, asked) == (0, [(1, "tcp://far:8786")])
    count, total = len(executor.chunks), sum(map(len, executor.chunks))
    random = len(of_chance(case for chunk in executor.chunks for case in chunk))
    assert count > 1
    rows = rows_of(out)
    assert (
        rows["cases"]
        == f"{total} of {total} passed ({total - random} directed, {random} random, of 40 matmuls together)"
    )
    assert rows["matmuls"].startswith(f"{11 * count}, ")
    assert rows["cycle counts"].startswith(f"{4 * count} ")
    assert rows["simulated"] == f"{500 * count} cycles in {0.25 * count:.1f} s, 2.0 k cycles/s"
    status, _, err = bitjoule("rtl", "verify", config, "--scheduler", "far:8786", "--waves")
    assert status == 2
    assert "--waves:1: --scheduler: waveforms stay on the workers; expected one of the two" in err
