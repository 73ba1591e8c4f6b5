"""The rows of devices, against the tools' own reports."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.gates.fpga import devices as module
from bitjoule.gates.fpga.devices import COLUMNS, FILE, devices, find_device
from bitjoule.gates.fpga.families import FAMILIES


def test_every_device_has_a_family_and_a_source():
    rows = [row for _, row in read_facts(FILE, COLUMNS)]
    assert len({row["device"] for row in rows}) == len(rows) == len(devices())
    for row in rows:
        assert row["family"] in FAMILIES
        assert keys(row["source"])
        assert set(keys(row["source"])) <= set(sources())
        assert row["where"]
        if row["family"] == "gowin":
            assert set(find_device(row["device"]).uart_pins) == {"clk", "rst", "rx", "tx"}


def test_an_unknown_device_is_answered_by_the_nearest():
    with pytest.raises(InputError, match="did you mean 'ecp5-85k'"):
        find_device("ecp5-85")


def test_a_device_describes_itself_and_its_speed_once():
    assert find_device("ecp5-85k").describe() == "LFE5U-85F, CABGA381, speed 6"
    assert find_device("gowin-gw2a-18").describe() == "GW2A-LV18PG256C8/I7, PBGA256"


def test_a_wrong_row_is_refused_with_its_line(tmp_path, monkeypatch):
    file = tmp_path / "devices.csv"
    lines = FILE.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], lines[2].replace("43848", "many", 1)]) + "\n")
    monkeypatch.setattr(module, "FILE", file)
    with pytest.raises(InputError, match=r"devices\.csv:3: tables"):
        devices.__wrapped__()
