"""The defaults of electricity: what their sources say, and a row that is wrong."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import sources
from bitjoule.energy_models.prices import electricity as module
from bitjoule.energy_models.prices.electricity import electricity
from bitjoule.experiments.energy.electricity import Costs


def test_defaults_are_those_of_their_sources():
    # 8.06 cents per kWh to US industry in 2023 (EIA), 445 g CO2/kWh in 2024 (IEA), a PUE of 1.58 in 2023 (Uptime)
    values = {name: default.value for name, default in electricity().items()}
    assert values == {"electricity_usd_per_kwh": 0.0806, "grid_gco2_per_kwh": 445, "power_usage_effectiveness": 1.58}
    assert {default.source for default in electricity().values()} <= set(sources())
    assert Costs().combinations == [(0.0806, 445, 1.58)]


def test_a_row_that_is_no_number_is_reported_with_its_line(tmp_path, monkeypatch):
    path = tmp_path / "electricity.csv"
    path.write_text("quantity,value,source,where,note\ngrid_gco2_per_kwh,much,iea2025electricity,here,\n")
    monkeypatch.setattr(module, "ELECTRICITY_FILE", path)
    with pytest.raises(InputError, match=r"electricity\.csv:2: value: got 'much'; expected a positive number"):
        electricity.__wrapped__()
