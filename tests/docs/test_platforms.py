"""What docs/platforms.md shows works as shown."""

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bitjoule.energy_models.system.hardware.machine_levels import LEVEL_ACTIONS
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.platform.channels import PART_ACTIONS
from bitjoule.energy_models.system.platform.levels import HELD, Level
from bitjoule.energy_models.system.platform.off_chip import Contiguous
from bitjoule.energy_models.system.platform.platforms import Buffer, OffChip, Platform, platforms, read_platform

PAGE = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text()


def test_every_shipped_platform_and_every_key_is_told():
    for name in [
        *platforms(),
        *Platform.model_fields,
        *Array.model_fields,
        *Buffer.model_fields,
        *OffChip.model_fields,
    ]:
        if name not in ("description", "macs"):
            assert name in PAGE or any(fnmatch(name, told) for told in re.findall(r"`([^`\n]+)`", PAGE)), name


def test_the_platform_of_ones_own_is_the_other_with_its_changes(tmp_path):
    text = re.search(r"```yaml[^\n]*\n(# chips/mine.yaml\n.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "mine.yaml").write_text(text)
    mine = read_platform(tmp_path / "mine.yaml")
    assert mine.buffers["activations"].size_bytes == 2 * platforms()["ternary-edge"].buffers["activations"].size_bytes
    assert mine.buffers["weights"] == platforms()["ternary-edge"].buffers["weights"]
    assert mine.arrays == platforms()["ternary-edge"].arrays


def test_the_static_power_shown_is_that_of_the_file(tmp_path):
    text = re.search(r"```yaml\n(# a phone-class device.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "phone.yaml").write_text(text)
    static = read_platform(tmp_path / "phone.yaml").static
    assert static is not None
    assert (static.phy.busy, static.phy.idle, static.host.nominal) == (0.03, 0.01, 0.3)  # in place of the edge's band


def test_the_dram_device_shown_is_that_of_the_file(tmp_path):
    text = re.search(r"```yaml[^\n]*\n(# chips/lpddr5.yaml.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "lpddr5.yaml").write_text(text)
    off_chip = read_platform(tmp_path / "lpddr5.yaml").off_chip
    assert (off_chip.device, off_chip.channel_count) == ("lpddr5-6400", 1)
    assert off_chip.reached_gb_per_s == pytest.approx(0.8 * platforms()["ternary-edge"].off_chip.bandwidth_gb_per_s)


def test_the_memory_level_shown_is_that_of_the_file(tmp_path):
    text = re.search(r"```yaml[^\n]*\n(# chips/l2.yaml.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "l2.yaml").write_text(text)
    levels = read_platform(tmp_path / "l2.yaml").levels
    assert (levels["l2"].size_bytes, levels["l2"].banks, sorted(levels["l2"].holds)) == (2 << 20, 4, sorted(HELD))
    assert all(f"`{action}`" in PAGE for action in LEVEL_ACTIONS)
    assert all(f"`{key}`" in PAGE for key in Level.model_fields if key != "memory")


def test_the_actions_of_a_device_shown_are_those_of_the_long_table():
    assert all(f"`{action}`" in PAGE for action in PART_ACTIONS)
    assert all(f"`{operand}`" in PAGE for operand in Contiguous.model_fields)


def test_the_mapping_shown_is_what_the_command_prints(bitjoule):
    command = shlex.split(re.search(r"^bitjoule (show mapping .*)$", PAGE, re.MULTILINE)[1])
    status, out, _ = bitjoule(*command)
    assert status == 0
    assert out == re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.mark.parametrize("command", re.findall(r"^bitjoule (show mapping .*)$", PAGE, re.MULTILINE))
def test_the_commands_shown_run_in_their_order(bitjoule, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    if "--replay" in command:
        bitjoule(*shlex.split(command.replace("--replay", "--save")))
    assert bitjoule(*shlex.split(command))[0] == 0
