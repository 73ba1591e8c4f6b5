"""The section of a summary on what energy costs."""

import bitjoule
from bitjoule.experiments.energy.runner import run
from bitjoule.reports.energy.summary import summary_markdown
from bitjoule.reports.figures.digits import significant
from tests.reports.shown import table

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: 8, new_tokens: 2, batch: 4}
costs: {grid_gco2_per_kwh: [0, 400]}
"""


def test_the_table_has_generated_and_prompt_tokens_apart_and_the_request(resolved):
    result = run(resolved(TEXT))
    text = summary_markdown(result)
    rows = table(text, ["model", "scheme", "g CO2/kWh", "of"])
    assert len(rows) == 6
    units = {
        "prefill": ("1M prompt tokens", 1e6),
        "decode": ("1M generated tokens", 1e6),
        "request": ("1M requests", 1e6),
    }
    for phase, (name, count) in units.items():
        (summed,) = result.summary[result.summary["phase"] == phase].to_dict("records")
        tokens = {"prefill": 8 * 4, "decode": 2 * 4, "request": 4}[phase]  # of the last, sequences
        for row in (row for row in rows if row["of"] == name):
            low, nominal, high = (
                count * summed[key] / tokens / 3.6e6 * 1.58 for key in ("energy_low_j", "energy_j", "energy_high_j")
            )
            assert row["kWh"] == significant(nominal)
            assert row["$, low to high"] == f"{significant(0.0806 * low)} to {significant(0.0806 * high)}"
            assert row["g CO2"] == significant(float(row["g CO2/kWh"]) * nominal)
    assert "$/kWh 0.0806 (default: eia2024electricpower, average price to industrial" in text
    assert "g CO2/kWh 0, 400; PUE 1.58 (default: uptime2023pue" in text


def test_a_request_without_new_tokens_is_its_prefill(resolved):
    text = summary_markdown(run(resolved(TEXT.replace("new_tokens: 2", "new_tokens: 0"))))
    assert {row["of"] for row in table(text, ["model", "scheme", "g CO2/kWh", "of"])} == {
        "1M prompt tokens", "1M requests",
    }  # fmt: skip


def test_without_the_key_there_is_no_section(resolved):
    assert "## Cost" not in summary_markdown(run(resolved(TEXT[: TEXT.index("costs")])))


def test_models_of_images_cost_by_the_image():
    changed = {"costs": {"power_usage_effectiveness": 1}, "plots": []}
    result = bitjoule.run("one_bit_vision", changed)
    rows = table(summary_markdown(result), ["model", "scheme", "of"])
    assert {row["of"] for row in rows} == {"1M images"}
    for row in rows:
        case = result.summary[(result.summary["model"] == row["model"]) & (result.summary["scheme"] == row["scheme"])]
        each = 1e6 / 3.6e6 * case["energy_j"] / case["batch"]
        assert row["kWh"] in {significant(value) for value in each}
