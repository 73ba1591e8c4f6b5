"""DRAM devices against what their currents give by hand."""

import pytest

from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.system.accesses import off_chip_price
from bitjoule.energy_models.system.platforms import OffChip


def test_lpddr4_takes_its_read_currents_less_the_standby_that_flows_anyway():
    """275 mA of core and 150 mA of I/O at 1.1 V, 2.25 mA at 1.8 V, over 16 pins of 3.2 Gb/s; standby 30 + 0.75 mA."""
    device = drams()["lpddr4-3200"]
    everything, standby = (1.8 * 2.25 + 1.1 * (275 + 150)) / 51.2, (1.8 * 2.25 + 1.1 * 30.75) / 51.2
    assert everything == pytest.approx(9.2, abs=0.05)
    assert device.burst_pj_per_bit(reads=True).nominal_pj == pytest.approx(everything - standby)
    assert device.burst_pj_per_bit(reads=True, io=True).nominal_pj == pytest.approx(1.1 * 149.25 / 51.2)
    assert device.standby_w(open_rows=False).nominal_pj == pytest.approx(1e-3 * (1.8 * 2 + 1.1 * 27.75))
    assert device.refresh_w.nominal_pj == pytest.approx(1e-3 * (1.8 * 8 + 1.1 * 63) * 448 / 6246)
    assert device.gb_per_s == 6.4


def test_an_activation_is_the_row_cycles_charge_less_standbys():
    """DDR4: 60.75 mA for 55 clocks, 44 mA of them for 39 clocks, 38.25 mA for 16; 1.2 GHz; and the pump's 4.05 mA."""
    device = drams()["ddr4-2400"]
    row_pj = (1.2 * (60.75 * 55 - 44 * 39 - 38.25 * 16) + 2.5 * 4.05 * 55) / 1.2
    assert device.activate_pj.nominal_pj == pytest.approx(row_pj, rel=1e-4)
    assert device.activate_pj_per_bit(1024).nominal_pj == pytest.approx(row_pj / 8192, rel=1e-4)
    assert device.activate_pj_per_bit(64).nominal_pj == pytest.approx(row_pj / 512, rel=1e-4)
    assert device.activate_pj_per_bit(1e9) == device.activate_pj_per_bit(1024)  # a row holds no more


def test_hbm3e_by_its_currents_is_what_others_derived_from_them():
    """About 4.9 pJ/bit: 2.63 of constant and 4.26 of random data, background 0.38, refresh 0.05, activation 0.22."""
    device = drams()["hbm3e"]
    assert device.burst_pj_per_bit(True, 0.0).nominal_pj == pytest.approx(2.63, abs=0.005)
    assert device.burst_pj_per_bit(True).nominal_pj == pytest.approx(4.26, abs=0.005)
    gigabits = device.gb_per_s * 8
    assert 1e3 * device.standby_w(open_rows=True).nominal_pj / gigabits == pytest.approx(0.38, abs=0.005)
    assert 1e3 * device.refresh_w.nominal_pj / gigabits == pytest.approx(0.05, abs=0.005)
    assert device.activate_pj_per_bit(1024).nominal_pj == pytest.approx(0.22, abs=0.01)


def test_hbm2_measured_at_toggle_rates_lies_on_the_line_of_the_slope():
    """CMU Ayna, 35 chips: 3.18, 4.16, 5.15 and 7.12 pJ/bit at toggle rates 0, 0.25, 0.5 and 1."""
    slope = drams()["hbm3e"].toggle_slope
    for rate, measured in ((0.25, 4.16), (0.5, 5.15), (1.0, 7.12)):
        assert 3.18 * (1 + slope * rate) == pytest.approx(measured, rel=0.002)


@pytest.mark.parametrize("name", drams())
def test_parts_add_up_grow_with_toggles_and_shrink_with_what_a_row_gives(name):
    device = drams()[name]
    for reads in (True, False):
        core, io = (device.burst_pj_per_bit(reads, io=io) for io in (False, True))
        burst, opened = device.burst_pj_per_bit(reads), device.activate_pj_per_bit(100)
        for part in range(3):
            assert core[part] + io[part] == pytest.approx(burst[part])
            assert burst[part] + opened[part] == pytest.approx(device.pj_per_bit(reads, 100)[part])
        assert list(burst) == sorted(burst)
        prices = [device.pj_per_bit(reads, 100, rate).nominal_pj for rate in (0.0, 0.5, 1.0)]
        assert prices == sorted(prices)
        prices = [device.pj_per_bit(reads, size).nominal_pj for size in (16, 64, 512, device.row_bytes)]
        assert prices == sorted(prices, reverse=True)
        assert len(set(prices)) == len(prices)


@pytest.mark.parametrize("reads", [True, False])
def test_a_platforms_bit_is_a_streamed_row_unless_it_says_otherwise(reads):
    device = drams()["lpddr4-3200"]
    for contiguous, used in ((None, 2048), (64, 64)):
        memory = OffChip(memory="lpddr4-3200", bandwidth_gb_per_s=12.8, contiguous_bytes=contiguous)
        price, key = off_chip_price(memory, reads, "x")
        assert price == device.pj_per_bit(reads, used)
        assert price_row(key).price == price


CASES = {
    "rows of a memory with one price": (
        "{memory: lpddr4, bandwidth_gb_per_s: 1, contiguous_bytes: 64}",
        "off_chip.contiguous_bytes: rows are known of devices alone; expected memory: lpddr4-3200 or ",
    ),
    "a device that is not there": (
        "{memory: lpddr4-3300, bandwidth_gb_per_s: 1}",
        "off_chip.memory: unknown memory 'lpddr4-3300' (did you mean 'lpddr4-3200'?); expected one of ",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_memories_are_refused(bitjoule, tmp_path, name):
    text, message = CASES[name]
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: x\naccounting: system\nmodels: [bitnet-125m]\nschemes: [bitnet-b1.58]\ntechnologies: [7nm]\n"
        "workload: {prompt_tokens: 3}\nplatforms: [./chip.yaml]\n"
    )
    (tmp_path / "chip.yaml").write_text(f"like: ternary-edge\noff_chip: {text}\n")
    status, _, err = bitjoule("run", path, "--out", tmp_path / "out")
    assert status == 2
    assert message in err
