"""Full adders are looked for in gates without inverters and multiplexers; a search in all gates finds the same."""

import re
from pathlib import Path

import pytest

from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.synthesis import yosys
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from tests.sampling import sampled

SIZES = {"lanes": 8, "columns": 1, "max_k": 64, "weight_bus_bits": 128}
SMALL = {
    "ternary": {"weight_encoding": "ternary2", "columns": 2},
    "int8": {"weight_encoding": "int8"},
    "int4": {"weight_encoding": "int4"},
    "fp16": {"weight_encoding": "fp16", "pipeline": 3},
}


def front(folder: Path, config: AcceleratorConfig, adder: str) -> tuple[str, int]:
    """Return gates and full adders of an array, with the numbers of new names as they come, and how many adders."""
    folder.mkdir()
    source = folder / "design.v"
    source.write_text(accelerator_verilog(config, quickly=True))
    yosys._front(source, TOP, yosys.Library([default_liberty()]), folder, Options(adder))
    numbers: dict[str, int] = {}
    text = re.sub(
        r"(\$auto\$extract_fa[^\s$\"]*)\$(\d+)",
        lambda new: f"{new[1]}${numbers.setdefault(new[2], len(numbers))}",
        (folder / "front.json").read_text(),
    )
    return text.replace(str(folder), ""), text.count('"type": "$fa"')


def both(folder, monkeypatch, config, adder):
    ours = front(folder / "ours", config, adder)
    monkeypatch.setattr(yosys, "FULL_ADDERS", "extract_fa -d 5 -b 4 -fa")
    return ours, front(folder / "theirs", config, adder)


@pytest.mark.parametrize("adder", ["ripple", "sklansky"])
@pytest.mark.parametrize("keys", SMALL.values(), ids=SMALL)
def test_all_of_a_small_array_are_found(tmp_path, monkeypatch, keys, adder):
    ours, theirs = both(tmp_path, monkeypatch, AcceleratorConfig.from_mapping(SIZES | keys), adder)
    assert theirs[1] >= 40
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(sorted(shipped_configurations()), 2, "full adders"))
def test_all_of_a_shipped_array_are_found(tmp_path, monkeypatch, name):
    ours, theirs = both(tmp_path, monkeypatch, read_configuration(name), "ripple")
    assert ours == theirs
