"""Clocks and bandwidths in another unit."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.system.platform import plausible as module
from bitjoule.energy_models.system.platform.platforms import OffChip, platforms
from bitjoule.energy_models.system.platform.plausible import implausible, plausible_range, plausible_ranges

HEADER = ",".join(module.COLUMNS)
PRICED = {"read_pj_per_bit": 1.0, "write_pj_per_bit": 1.0}


def machine(clock_mhz=500.0, **memory):
    edge = platforms()["ternary-edge"]
    nodes = {name: node.model_copy(update={"clock_mhz": clock_mhz}) for name, node in edge.nodes.items()}
    off_chip = OffChip(**memory) if memory else edge.off_chip
    return edge.model_copy(update={"nodes": nodes, "off_chip": off_chip})


@pytest.mark.parametrize("name", platforms())
def test_every_shipped_platform_is_plausible(name):
    assert list(implausible(platforms()[name])) == []


def test_a_range_of_a_kind_of_memory_is_at_most_a_thousand_wide_so_that_no_other_unit_fits():
    for row in plausible_ranges():
        if row.memory or row.quantity == "clock":
            assert row.high <= 1000 * row.low


@pytest.mark.parametrize("clock_mhz", [0.5, 1.2, 500_000.0])  # 500 MHz in GHz, 1.2 GHz in GHz, 500 MHz in kHz
def test_a_clock_in_another_unit_is_named_at_every_node(clock_mhz):
    says = f"{clock_mhz:g} MHz is outside the 10 to 10000 MHz of any clock; check the unit"
    assert list(implausible(machine(clock_mhz))) == [f"nodes.{node}.clock_mhz: {says}" for node in ("45nm", "7nm")]


@pytest.mark.parametrize(
    ("memory", "gb_per_s", "ends"),
    [
        # JESD209-4: 32 pins of 3.2 Gb/s; HBM2, four stacks of 307 GB/s; DDR4-2400, 64 pins; each in TB/s and in MB/s
        ("lpddr4", 12.8, "1 to 1000 GB/s of any bandwidth of lpddr4"),
        ("hbm2", 1228.0, "25 to 25000 GB/s of any bandwidth of hbm2"),
        ("ddr4-2400", 19.2, "1 to 1000 GB/s of any bandwidth of ddr4-2400"),
        ("gddr6", 448.0, "5 to 5000 GB/s of any bandwidth of gddr6"),
    ],
)
def test_a_bandwidth_in_another_unit_is_named_with_what_its_memory_can_have(memory, gb_per_s, ends):
    assert list(implausible(machine(memory=memory, bandwidth_gb_per_s=gb_per_s))) == []
    for factor in (1e-3, 1e3):
        (line,) = implausible(machine(memory=memory, bandwidth_gb_per_s=factor * gb_per_s))
        given = f"{factor * gb_per_s:g}"
        assert line == f"off_chip.bandwidth_gb_per_s: {given} GB/s is outside the {ends}; check the unit"


def test_a_memory_with_prices_of_its_own_may_be_slow_or_fast():
    assert list(implausible(machine(bandwidth_gb_per_s=0.05, **PRICED))) == []
    (line,) = implausible(machine(bandwidth_gb_per_s=0.01, **PRICED))
    assert line.endswith("0.01 GB/s is outside the 0.025 to 25000 GB/s of any bandwidth; check the unit")


def test_the_first_row_that_a_memory_is_called_after_counts():
    assert plausible_range("bandwidth", "lpddr4").memory == "lpddr"
    assert plausible_range("bandwidth", "ddr").memory == "ddr"
    assert plausible_range("bandwidth", "gh200-hbm").memory == "hbm"
    assert plausible_range("bandwidth").memory == ""


def test_every_range_has_a_source_or_is_marked_as_an_assumption_with_its_reason():
    for row in plausible_ranges():
        assert row.where
        assert row.source == "assumption" or set(keys(row.source)) <= set(sources())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("clock,,10,5,MHz,assumption,x", "low: got 10; expected less than 5"),
        ("clock,,0,5,MHz,assumption,x", "low: got '0'; expected a positive number"),
        ("clock,,1,5,MHz,assumption,x\nclock,,2,6,MHz,assumption,x", "quantity: duplicate clock; expected one row"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(tmp_path, monkeypatch, row, says):
    path = tmp_path / "plausible.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    monkeypatch.setattr(module, "PLAUSIBLE_FILE", path)
    with pytest.raises(InputError) as error:
        plausible_ranges.__wrapped__()
    assert f"plausible.csv:{1 + len(row.splitlines())}: {says}" in str(error.value)
