"""The toggle rate of off-chip data: prices between the measured points of a device, and where they lead."""

import numpy as np
import pytest

from bitjoule.energy_models.formats.toggles import toggle_rate
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.system.platform.off_chip import OffChip
from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from tests.energy_models.requests import evaluate, system

MEASURED = {0.0: 3.18, 0.25: 4.16, 0.5: 5.15, 1.0: 7.12}  # pJ/bit of HBM2 over the toggle rate, on 35 chips


def hbm(rate, scheme="bitnet-b1.58"):
    platform = platforms()["ternary-edge-hbm2"]
    off_chip = platform.off_chip.model_copy(update={"toggle_rate": rate})
    return system(scheme=scheme, machine=platform.model_copy(update={"off_chip": off_chip}))


@pytest.mark.parametrize(("rate", "pj"), MEASURED.items())
def test_the_slope_goes_through_the_measured_points(rate, pj):
    """The currents leave out what flows anyway, 0.2 pJ/bit; the slope is what was measured."""
    device = drams()["hbm2-1200"]
    at_zero = device.burst_pj_per_bit(True, 0.0).nominal_pj
    assert device.burst_pj_per_bit(True, rate).nominal_pj - at_zero == pytest.approx(pj - MEASURED[0.0], abs=0.02)


def test_random_data_and_no_rate_give_the_same_bytes():
    plain, half = (evaluate(hbm(rate)) for rate in (None, 0.5))
    np.testing.assert_array_equal(plain.energies.nominal_pj, half.energies.nominal_pj)
    assert hbm(None).machine(0, 0, 0).dram.core("read")[1] == "drams.yaml:hbm2-1200:core_read"


def test_weights_that_are_stored_toggle_as_their_packing_does():
    found, zero = evaluate(hbm("stored"), prompt=0), evaluate(hbm(0.0), prompt=0)
    columns = hbm(None).columns
    weights = np.array(
        [(c.operand, c.action) == ("weights", "off_chip_read") and c.component == "ffn" for c in columns]
    )
    if not weights.any():
        weights = np.array([(c.operand, c.action) == ("weights", "off_chip_read") for c in columns])
    ratio = found.energies.nominal_pj[0, weights] / np.maximum(zero.energies.nominal_pj[0, weights], 1e-30)
    counted = found.counts[0, weights] > 0
    slope = drams()["hbm2-1200"].toggle_slope
    rates = {toggle_rate("ternary2"), toggle_rate("fp16"), toggle_rate("int8")}  # linears, LM head and embedding
    expected = sorted(1 + slope * rate for rate in rates)
    for each in ratio[counted]:
        assert min(abs(each / value - 1) for value in expected) < 1e-9
    assert any(each == pytest.approx(1 + slope * toggle_rate("ternary2"), rel=1e-9) for each in ratio[counted])


def test_keys_lead_to_prices_at_the_rate():
    channels = hbm(0.25).machine(0, 0, 0).dram
    price, key = channels.core("read")
    np.testing.assert_allclose(price_row(key).price, price, rtol=1e-12)
    assert key.endswith(":0.25")


def test_one_price_for_all_of_a_device_takes_the_rate_too():
    machine = platforms()["ternary-edge"]
    nominal_pj = {}
    for rate in MEASURED:
        off_chip = OffChip(memory="hbm2-1200", bandwidth_gb_per_s=12.8, toggle_rate=rate)
        found = system(machine=machine.model_copy(update={"off_chip": off_chip})).machine(0, 0, 0)
        price, key = found.access("off_chip_read", "weights")
        device = drams()["hbm2-1200"]
        np.testing.assert_allclose(price, device.pj_per_bit(True, device.row_bytes, rate), rtol=1e-12)
        np.testing.assert_allclose(price_row(key).price, price, rtol=1e-12)
        nominal_pj[rate] = price.nominal_pj
    for rate, pj in MEASURED.items():  # opening a row takes the same at any rate
        assert nominal_pj[rate] - nominal_pj[0.0] == pytest.approx(pj - MEASURED[0.0], abs=0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{memory: null, device: lpddr4-3200, toggle_rate: 0.4}", "energies of this memory hold for any data"),
        ("{toggle_rate: 0.4}", "expected a device whose slope is known: hbm2-1200"),
        ("{memory: null, device: hbm2-1200, toggle_rate: 1.5}", "off_chip.toggle_rate: got 1.5; expected"),
        ("{memory: null, device: hbm2-1200, toggle_rate: random}", "off_chip.toggle_rate: 'random' is unknown"),
    ],
)
def test_a_wrong_rate_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(f"like: ternary-edge\nstatic: {{dram: null, phy: null}}\noff_chip: {text}\n")
    with pytest.raises(InputError) as raised:
        read_platform(path)
    assert message in str(raised.value)
