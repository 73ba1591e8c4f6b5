"""Tables of what was counted in a model: each cell under its header, from rows of unequal numbers."""

from bitjoule.reports.statistics import ACTIVATIONS, WEIGHTS, statistics_markdown
from tests.reports.shown import table

NAN = float("nan")
NAMES = [*WEIGHTS, *(name for name in ACTIVATIONS if name not in WEIGHTS)]
WHOLE = {"weights": 1_234_567, "tokens": 45_678}


def row(base, **rates):
    """Return quantities of a linear: each its own multiple of a number, counts whole."""
    values = {name: WHOLE.get(name, base * (i + 1)) for i, name in enumerate(NAMES)}
    return values | {f"toggle_rate_{name}": value for name, value in rates.items()}


ROWS = {
    "q_proj": row(0.011, ternary2=NAN, ternary5=NAN, binary=0.125),
    "head": row(0.023, ternary2=0.25, ternary5=NAN, binary=NAN),
}
HEADERS = {
    "weights": "weights", "weight_zero_share": "zeros", "weight_negative_share": "-1",
    "weight_entropy_bits": "entropy (bits)",
}  # fmt: skip
OF_TOKENS = {
    "tokens": "tokens", "activation_zero_share": "zeros", "activation_deviation": "deviation",
    "activation_entropy_bits": "entropy (bits)", "activation_toggle_rate": "toggle rate, bus",
    "lane_toggle_rate": "toggle rate, lane",
}  # fmt: skip


def test_each_quantity_stands_under_its_header_and_rates_that_no_linear_has_are_left_out():
    text = statistics_markdown("mine", ROWS, 96)
    assert text.startswith("# mine\n\n## Weights\n\n")
    assert "Bus: 96 bits wide;" in text
    weights, activations = text.split("## Activations")
    for part, headers in ((weights, HEADERS), (activations, OF_TOKENS)):
        shown = {cells.pop("linear"): cells for cells in table(part, ["linear"])}
        assert list(shown) == list(ROWS)
        for linear, cells in shown.items():
            for name, header in headers.items():
                value = ROWS[linear][name]
                expected = f"{value:,}" if name in WHOLE else float(f"{value:.3g}")
                assert (cells[header] if name in WHOLE else float(cells[header])) == expected, name
    first, last = table(weights, ["linear"])
    assert [name for name in first if "rate" in name] == ["toggle rate, ternary2", "toggle rate, binary"]
    assert (first["toggle rate, ternary2"], last["toggle rate, ternary2"]) == ("", "0.250")
    assert (first["toggle rate, binary"], last["toggle rate, binary"]) == ("0.125", "")
