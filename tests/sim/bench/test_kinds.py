"""Every kind of array is verified in every way: nothing is left out when a kind is added."""

import itertools

import pandas as pd
import pytest

from bitjoule.rtl.config import ACCUMULATIONS, DATAPATHS
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.rtl.claims import small
from tests.sim.bench import test_bench
from tests.sim.bench.counts import counts, kind

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
