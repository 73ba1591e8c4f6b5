"""What a platform may say of its off-chip memory, and the errors of what it may not."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platform.off_chip import Contiguous, OffChip
from bitjoule.energy_models.system.platform.platforms import read_platform

IDLE_PHY = "phy: {busy: 0, idle: 0.02}"


def read(folder, off_chip, static=f"{{dram: null, {IDLE_PHY}}}"):
    """Return ternary-edge with another memory; its file has the memory on line 2 and the watts on line 3."""
    path = folder / "mine.yaml"
    path.write_text(f"like: ternary-edge\noff_chip: {off_chip}\nstatic: {static}\n")
    return read_platform(path)


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("device: lpddr4-3200", 2),  # 12.8 GB/s of 6.4 each
        ("device: lpddr5-6400", 1),
        ("device: hbm2-1200", 2),  # 9.6 each
        ("device: ddr4-2400", 8),  # a module, of which 8 chips share each access
        ("device: lpddr4-3200, channels: 4", 4),
        ("device: lpddr4-3200, bandwidth_gb_per_s: 12.81", 3),
    ],
)
def test_the_fewest_channels_that_have_the_bandwidth_unless_written(tmp_path, text, channels):
    assert read(tmp_path, f"{{memory: null, {text}}}").off_chip.channel_count == channels


def test_without_a_device_there_are_no_channels_and_the_peak_is_reached():
    memory = OffChip(memory="lpddr4", bandwidth_gb_per_s=12.8)
    assert (memory.channel_count, memory.reached_gb_per_s, memory.ranks) == (0, 12.8, 1)
    slower = OffChip(memory="lpddr4", bandwidth_gb_per_s=12.8, achieved_share=0.75)
    assert slower.reached_gb_per_s == pytest.approx(9.6)


def test_contiguous_bytes_are_a_number_or_one_for_each_operand(tmp_path):
    device = "memory: null, device: hbm3e"
    assert read(tmp_path, f"{{{device}, contiguous_bytes: 64}}").off_chip.contiguous_bytes == 64
    given = read(tmp_path, f"{{{device}, contiguous_bytes: {{keys_values: 4096}}}}").off_chip.contiguous_bytes
    assert given == Contiguous(keys_values=4096)
    assert given.weights is None


def test_a_device_without_static_power_still_waits(tmp_path):
    platform = read(tmp_path, "{memory: null, device: lpddr4-3200}", static="null")
    assert platform.static is None
    assert platform.power is not None
    assert read_platform_power(tmp_path) is None


def read_platform_power(folder):
    path = folder / "flat.yaml"
    path.write_text("like: ternary-edge\nstatic: null\n")
    return read_platform(path).power


PEAK = "12.8 GB/s of 1 channels that have 6.4 GB/s each; expected at most 6.4, or more channels"
CASES = {
    "unknown device": (
        "{memory: null, device: lpddr4}",
        "off_chip.device: unknown device 'lpddr4'",
    ),
    "two prices": (
        "{device: lpddr4-3200}",
        "off_chip.memory: device and memory both price a bit; expected one of them; null removes a key",
    ),
    "a price of one's own beside it": (
        "{memory: null, read_pj_per_bit: 1, device: lpddr4-3200}",
        "off_chip.read_pj_per_bit: device and read_pj_per_bit both price a bit; expected one of them",
    ),
    "too few channels": (
        "{memory: null, device: lpddr4-3200, channels: 1}",
        f"off_chip.bandwidth_gb_per_s: {PEAK}",
    ),
    "a part of a module": (
        "{memory: null, device: ddr4-2400, channels: 12}",
        "off_chip.channels: 12 channels of ddr4-2400, of which 8 share each access; expected a multiple of 8",
    ),
    "channels of one price": (
        "{channels: 2}",
        "off_chip.channels: channels of a device without `device`; expected device, instead of memory",
    ),
    "ranks of one price": (
        "{ranks: 2}",
        "off_chip.ranks: channels of a device without `device`; expected device, instead of memory",
    ),
    "runs of one price": (
        "{memory: lpddr4-3200, contiguous_bytes: {weights: 64}}",
        "off_chip.contiguous_bytes: parts of a device without `device`; expected device, instead of memory",
    ),
    "no share": ("{achieved_share: 0}", "off_chip.achieved_share: got 0; expected"),
    "more than the peak": ("{achieved_share: 1.01}", "off_chip.achieved_share: got 1.01; expected"),
    "an operand that is none": (
        "{memory: null, device: hbm3e, contiguous_bytes: {keys: 64}}",
        "off_chip.contiguous_bytes.keys: unknown key",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_memories_are_refused_with_line_and_key(tmp_path, name):
    text, message = CASES[name]
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert f"mine.yaml:2: {message}" in str(error.value)


def test_standby_is_not_counted_beside_that_of_the_device(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path, "{memory: null, device: lpddr4-3200}", static=f"{{dram: 0.035, {IDLE_PHY}}}")
    expected = "mine.yaml:3: static.dram: counts standby and refresh twice: off_chip.device lpddr4-3200 includes them; "
    assert expected + "expected one of the two, e.g. `dram: null`" in str(error.value)


@pytest.mark.parametrize("phy", ["0.02", "{low: 0, nominal: 0, high: 0.1}", "{busy: 0.01, idle: 0.02}"])
def test_the_clocks_of_the_phy_are_not_counted_beside_the_energy_of_a_bit(tmp_path, phy):
    with pytest.raises(InputError) as error:
        read(tmp_path, "{memory: null, device: hbm3e}", static=f"{{dram: null, phy: {phy}}}")
    expected = (
        "mine.yaml:3: static.phy: counts the clocks twice while bits move: a bit of off_chip.device hbm3e includes "
    )
    assert expected + "them; expected the idle interface alone, {busy: 0, idle: ...}" in str(error.value)


def test_a_phy_without_watts_is_no_watts_twice(tmp_path):
    assert read(tmp_path, "{memory: null, device: hbm3e}", static="{dram: null, phy: null}").static.phy is None
