"""DRAM devices against what their currents give by hand, and what was measured or printed."""

import re

import pytest
from pydantic import ValidationError

from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.system.platform.accesses import off_chip_price
from bitjoule.energy_models.system.platform.platforms import OffChip


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


def test_hbm2_by_its_currents_takes_what_was_measured_at_toggle_rates():
    """Bursts and the standby that flows meanwhile, over 76.8 Gb/s: 3.18, 4.16, 5.15 and 7.12 pJ/bit, 35 chips."""
    device = drams()["hbm2-1200"]
    gigabits = device.gb_per_s * 8
    assert gigabits == pytest.approx(76.8)
    standby = 1e3 * device.standby_w(open_rows=True).nominal_pj / gigabits
    for rate, measured in ((0.0, 3.18), (0.25, 4.16), (0.5, 5.15), (1.0, 7.12)):
        assert device.burst_pj_per_bit(True, rate).nominal_pj + standby == pytest.approx(measured, rel=0.005)
    assert device.activate_pj.nominal_pj == pytest.approx(1.2 * (28.5 * 48 - 12.4 * 34 - 11.8 * 14))


def test_lpddr4x_is_lpddr4_with_its_pins_at_a_lower_voltage():
    new, old = drams()["lpddr4x-3200"], drams()["lpddr4-3200"]
    for reads in (True, False):
        assert new.burst_pj_per_bit(reads, io=False) == old.burst_pj_per_bit(reads, io=False)
        ratio = new.burst_pj_per_bit(reads, io=True).nominal_pj / old.burst_pj_per_bit(reads, io=True).nominal_pj
        assert ratio == pytest.approx(0.6 / 1.1)
    assert new.activate_pj.nominal_pj == pytest.approx(old.activate_pj.nominal_pj)  # the pins' current is standby


@pytest.mark.parametrize("name", ["lpddr5-6400", "lpddr5x-8533"])
def test_lpddr5_spans_the_band_of_simulators_and_takes_the_rest_from_lpddr4(name):
    device, older = drams()[name], drams()["lpddr4-3200"]
    for reads in (True, False):
        assert tuple(device.burst_pj_per_bit(reads)) == pytest.approx((4, 6, 8))
        assert device.burst_pj_per_bit(reads, 0.0) == device.burst_pj_per_bit(reads, 1.0)
    newest = drams()["lpddr4x-3200"]
    share = newest.burst_pj_per_bit(True, io=True).nominal_pj / newest.burst_pj_per_bit(True).nominal_pj
    assert device.burst_pj_per_bit(True, io=True).nominal_pj / 6 == pytest.approx(share, abs=0.005)
    for ours, theirs in (
        (device.activate_pj, older.activate_pj), (device.refresh_w, older.refresh_w),
        *((device.standby_w(state), older.standby_w(state)) for state in (True, False)),
    ):  # fmt: skip
        assert tuple(ours) == pytest.approx(tuple(theirs), rel=0.02)


def test_ddr4s_pins_draw_through_driver_and_termination_while_they_are_low():
    pins = drams()["ddr4-2400"].pins
    low_share, volts, ohms, gigabits = 0.5, 1.2, 34 + 48, 2.4
    expected = low_share * volts * (volts / ohms) / gigabits * 1e3
    for price in (pins.read_pj_per_bit, pins.write_pj_per_bit):
        assert price.nominal == pytest.approx(expected, rel=0.005)
        assert (price.low, price.high) == pytest.approx((expected / 2, 2 * expected), rel=0.02)


@pytest.mark.parametrize(
    ("name", "run_bytes", "rows"),
    [
        ("lpddr4-3200", 2048, 1), ("lpddr4-3200", 2049, 2), ("lpddr4-3200", 5120, 3), ("lpddr4-3200", 32, 1),
        ("hbm3e", 2560, 3), ("ddr4-2400", 64, 8), ("ddr4-2400", 8192, 8), ("ddr4-2400", 8193, 16),
    ],
)  # fmt: skip
def test_a_run_opens_whole_rows_and_those_of_a_module_together(name, run_bytes, rows):
    assert run_bytes / drams()[name].opened_bytes(run_bytes) == pytest.approx(rows)
    assert drams()[name].opened_bytes(0) == 0


def test_no_device_shares_its_name_with_a_memory_of_one_price():
    assert not drams().keys() & {memory.name for memory in memories()}


@pytest.mark.parametrize("name", drams())
def test_every_device_cites_sources_or_assumptions_and_has_a_controller(name):
    device = drams()[name]
    for cited in (device, device.pins, device.phy):
        if cited is not None:
            assert cited.where
            assert all(key in sources() or key == "assumption" for key in keys(cited.source))
    assert device.phy.read_pj_per_bit.low < device.phy.read_pj_per_bit.high


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lpddr4-3200", "counts the data pins twice: a supply with `io: true` has them; expected one of the two"),
        ("lpddr5-6400", "counts the data pins twice: `io_share` has them; expected one of the two"),
    ],
)
def test_data_pins_are_counted_once(name, message):
    device = drams()[name]
    written = device.model_dump(exclude_none=True) | {"pins": drams()["ddr4-2400"].pins.model_dump()}
    with pytest.raises(ValidationError, match=re.escape(message)):
        type(device).model_validate(written)


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
