"""Mutants of the smallest array in the shipped testbench: a sample in each run, and how mutants are counted."""

import csv
from pathlib import Path

import pytest
from scipy.stats import binomtest

from tests.mutation.rtl.build import build, mutate
from tests.mutation.rtl.judge import Judged, Outcome, first_difference, judge, passes
from tests.mutation.rtl.run import ARRAYS, COUNT, GOAL, SEED, quantities, run, write
from tests.sampling import drawing_seed
from tests.sim.bench.coverage import configuration

SMALLEST = ARRAYS[0]
SAMPLE = 20
TABLE = Path(__file__).parents[3] / "benchmarks" / "rtl_mutants.csv"
INVERTER = "module bitjoule_accelerator(input a, output y); assign y = ~a; endmodule"


@pytest.mark.slow
def test_a_sample_of_mutants_is_found(tmp_path):
    """Of the array with no fault nothing is found; of few mutants the share has a wide interval."""
    mutants = build(configuration(SMALLEST), SAMPLE, drawing_seed("mutants of the array") % (1 << 31), tmp_path)
    assert passes(mutants, 0)
    assert first_difference(mutants, 0, 5_000) is None
    judged = list(judge(mutants, range(1, SAMPLE + 1), cycles=20_000))
    counts = quantities(judged, 0)
    assert counts["differ"] >= SAMPLE // 2
    low_share = binomtest(int(counts["found"]), int(counts["differ"]), GOAL, alternative="less")
    survivors = [each for each in judged if each.outcome is Outcome.SURVIVES]
    assert low_share.pvalue > 0.001, survivors


def test_each_mutation_is_chosen_by_its_number(tmp_path):
    text, changes, bits = mutate(INVERTER, 3, 1, tmp_path)
    assert (len(changes), bits) == (3, 2)
    assert "input [1:0] mutant" in text
    assert all(change.startswith("-mode ") for change in changes)


def test_the_committed_shares_reach_the_goal():
    rows = list(csv.DictReader(TABLE.read_text().splitlines()))
    for array in ARRAYS:
        values = {row["quantity"]: float(row["value"]) for row in rows if row["array"] == array}
        assert values["mutants"] == values["no difference"] + values["found"] + values["survive"] >= 300
        assert values["share found"] == pytest.approx(values["found"] / values["differ"], rel=1e-3)
        assert values["share found"] >= GOAL


def test_mutants_without_a_difference_are_set_apart(tmp_path):
    judged = [
        Judged(1, "a", Outcome.FOUND, None), Judged(2, "b", Outcome.SAME, None), Judged(3, "c", Outcome.SURVIVES, 7),
        Judged(4, "d", Outcome.FOUND, None),
    ]  # fmt: skip
    values = quantities(judged, 5)
    assert (values["differ"], values["found"], values["share found"]) == (3, 2, 2 / 3)
    file = tmp_path / "mutants.csv"
    write(file, ARRAYS[1], values)
    write(file, ARRAYS[0], values | {"seed": 1})
    write(file, ARRAYS[1], values | {"seed": 2})
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["array"] for row in rows] == [ARRAYS[0]] * len(values) + [ARRAYS[1]] * len(values)
    assert [row["value"] for row in rows if row["quantity"] == "seed"] == ["1", "2"]


@pytest.mark.dear
@pytest.mark.parametrize("array", ARRAYS)
def test_of_all_mutants_that_differ_the_share_that_is_found_reaches_the_goal(array, tmp_path):
    judged = run(array, COUNT, SEED, tmp_path)
    assert quantities(judged, SEED)["share found"] >= GOAL, judged
