"""Labels and units of columns, by hand from what their names end in."""

import pytest

from bitjoule.reports.page.units import UNITS, named


@pytest.mark.parametrize(
    ("column", "label", "unit"),
    [
        ("energy_j", "energy", "J"), ("energy_per_token_low_j", "energy per token low", "J"),
        ("energy_pj_low", "energy low", "pJ"), ("kwh_high", "kwh high", ""), ("edp_j_s", "edp", "J s"),
        ("tokens_per_s", "tokens per s", "tokens/s"), ("decode_tokens_per_s", "decode tokens per s", "tokens/s"),
        ("tokens_per_joule", "tokens per joule", "tokens/J"), ("steps_per_s", "steps", "1/s"),
        ("bandwidth_gb_per_s", "bandwidth", "GB/s"), ("prompt_tokens", "prompt", "tokens"),
        ("tokens", "tokens", "tokens"), ("watts", "watts", "W"), ("static_watts", "static watts", "W"), ("j", "j", "J"),
        ("electricity_usd_per_kwh", "electricity", "$/kWh"), ("grid_gco2_per_kwh", "grid", "g CO₂/kWh"),
        ("weights_format", "weights format", ""), ("max_ns", "max", "ns"), ("clock_mhz", "clock", "MHz"),
        ("j_per_token", "energy per token", "J"), ("printed_j_per_token", "printed energy per token", "J"),
        ("j_per_token_45nm", "energy per token 45nm", "J"), ("error_j_per_token", "error of energy per token", ""),
        ("error_tokens_per_s", "error of tokens per s", ""), ("error_fj", "error", "fJ"),
        ("power_usage_effectiveness", "power usage effectiveness", ""), ("low", "low", ""),
    ],
)  # fmt: skip
def test_a_column_has_the_label_and_the_unit_that_its_name_ends_in(column, label, unit):
    assert named(column) == (label, unit)


@pytest.mark.parametrize("ending", UNITS)
def test_no_shorter_ending_hides_a_longer_one(ending):
    column = f"quantity_of_{ending.strip('_')}"
    assert named(column).unit == UNITS[ending]
    assert named(f"{column}_low") == (f"{named(column).label} low", UNITS[ending])
