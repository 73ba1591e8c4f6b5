"""Every kind of array is verified in every way: nothing is left out when a kind is added."""

import importlib
import itertools
import re
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from bitjoule.rtl.config import ACCUMULATIONS, DATAPATHS
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.rtl import test_formal
from tests.rtl.claims import small
from tests.sim.bench import test_bench, test_coverage
from tests.sim.bench.counts import counts, kind
from tests.sim.bench.coverage import configuration

KINDS = {
    kind(small(weight_encoding=encoding, datapath=datapath, accumulation=accumulation))
    for encoding, datapaths in DATAPATHS.items()
    for datapath, accumulation in itertools.product(datapaths, ACCUMULATIONS[encoding])
    if (datapath, accumulation) not in {("fused", "fp16"), ("lookup_table", "fp32")}
}
CHECKS = ("configurations", "not shipped", "random matmuls", "directed cases", "coverage", "faults", "proofs")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return counts().pivot(index="array", columns="quantity", values="value")


def test_every_kind_is_counted(table):
    assert set(table.index) == {*KINDS, "all"}


@pytest.mark.parametrize("check", CHECKS)
def test_every_kind_has(check, table):
    assert (table[check] > 0).all()


def test_every_configuration_has_a_hundred_random_matmuls(table):
    assert test_bench.MATMULS >= 100
    pd.testing.assert_series_equal(
        table["random matmuls"], test_bench.MATMULS * table["configurations"], check_names=False
    )


@pytest.mark.parametrize("size", ["lanes", "columns", "tokens"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_is_verified_with_sizes_that_nobody_ships(name, size):
    shipped = {getattr(read_configuration(each), size) for each in test_bench.SHIPPED}
    others = [config for each, config in test_bench.CONFIGURATIONS.items() if each not in test_bench.SHIPPED]
    assert {getattr(config, size) for config in others if kind(config) == name} - shipped


def test_the_sums_are_those_of_the_kinds(table):
    pd.testing.assert_series_equal(table.drop("all").sum(), table.loc["all"], check_names=False)


PAGE = Path(__file__).parents[3] / "docs" / "verification.md"
COLUMNS = ("matmuls and cycles", "sizes that nobody ships", "coverage", "faults", "accelerator proved")


def rows_of_the_page() -> dict[str, dict[str, tuple[str, str | None]]]:
    """Return from the page's table, by array and column, the test file that it names and the parameter, if any."""
    lines = iter(PAGE.read_text(encoding="utf-8").splitlines())
    names = ("array", *COLUMNS)
    next(line for line in lines if tuple(cell.strip() for cell in line.strip("|").split("|")) == names)
    next(lines)
    rows = {}
    for line in itertools.takewhile(lambda line: line.startswith("|"), lines):
        array, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        matches = [re.fullmatch(r"`(test_\w+\.py)(?:\[([^\]]+)\])?`", cell) for cell in cells]
        assert None not in matches, line
        rows[array] = dict(zip(COLUMNS, (match.groups() for match in matches if match), strict=True))
    return rows


def parameters(module: ModuleType, function: str) -> set[str]:
    """Return the values that a test has as its one parameter."""
    (mark,) = (mark for mark in getattr(module, function).pytestmark if mark.name == "parametrize")
    assert mark.args[0] in ("name", "case", "fault")
    return {getattr(value, "values", (value,))[0] for value in mark.args[1]}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_page_names_tests_that_are_of_the_kind(name):
    row = rows_of_the_page()[name]
    file, parameter = row["matmuls and cycles"]
    assert file == "test_bench.py"
    bench = parameters(test_bench, "test_corners_and_random_matmuls_are_bit_exact_with_the_cycles_of_the_closed_form")
    assert parameter in bench
    assert kind(test_bench.CONFIGURATIONS[parameter]) == name

    file, parameter = row["sizes that nobody ships"]
    assert file == "test_bench.py"
    assert parameter in bench - set(test_bench.SHIPPED)
    assert kind(test_bench.CONFIGURATIONS[parameter]) == name

    file, parameter = row["coverage"]
    assert file == "test_coverage.py"
    assert parameter in parameters(test_coverage, "test_at_least_95_percent_of_lines_branches_and_toggles_happen")
    assert kind(configuration(parameter)) == name

    file, parameter = row["faults"]
    module = importlib.import_module(f"tests.sim.bench.{file.removesuffix('.py')}")
    if parameter:
        assert parameter in parameters(module, "test_the_bench_finds")
        array, fault = module.CASES[parameter]
        assert fault in module.FAULTS
        assert kind(module.CONFIGS[array]) == name
    else:
        assert parameters(module, "test_the_bench_finds") == set(module.FAULTS)
        assert kind(module.CONFIG) == name

    file, parameter = row["accelerator proved"]
    assert file == "test_formal.py"
    assert parameter in parameters(test_formal, "test_accelerator_takes_delivers_and_sums_as_its_model")
    assert kind(small(**test_formal.ACCELERATORS[parameter])) == name


def test_the_page_names_tests_of_every_kind():
    assert set(rows_of_the_page()) == KINDS
