"""The Verilog that simulators are built of."""

import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator import generated
from bitjoule.sim.accelerator.configurations import read_design


@pytest.mark.parametrize(
    ("configuration", "writer"), [("tiny_8x4", "accelerator_verilog"), ("bitlinear_64x5", "linear_verilog")]
)
def test_it_is_written_once_and_by_the_quicker_of_the_two_converters(monkeypatch, tmp_path, configuration, writer):
    monkeypatch.setenv("BITJOULE_CACHE", str(tmp_path))
    asked = []

    def written(config, quickly=False):
        asked.append((config, quickly))
        return f"module of {type(config).__name__}"

    monkeypatch.setattr(generated, writer, written)
    config = read_design(configuration)
    kind = LinearConfig if writer == "linear_verilog" else AcceleratorConfig
    for _ in range(2):
        assert generated.generated_verilog(config) == f"module of {kind.__name__}"
    assert asked == [(config, True)]
