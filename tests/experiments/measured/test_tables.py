"""Tables of measured machines: errors are predicted over measured, gains are over the first format, shares add up."""

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.architecture.block import stored_values
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.files import open_experiment
from bitjoule.experiments.measured.schema import LowBit, Measured, read_measured_experiment
from bitjoule.experiments.measured.tables import POINT_COLUMNS, error_table, gain_table, point_table


@pytest.fixture(scope="module")
def points():
    return point_table(Measured(use="hold"))


def test_points_have_the_errors_of_what_they_compare(points):
    table, why = points
    assert tuple(table.columns) == POINT_COLUMNS
    np.testing.assert_allclose(table["error"], table["predicted"] / table["measured"] - 1)
    other = table[table["other_error"].notna()]
    np.testing.assert_allclose(other["other_error"].astype(float), other["other"].astype(float) / other["measured"] - 1)
    assert {"roofline", "constant watts"} <= set(other["other_way"])
    assert all(text.startswith("line ") for text in why)


def test_errors_by_machine_are_medians_of_magnitudes_and_compare_the_same_rows(points):
    table = error_table(points[0])
    line = table[(table["quantity"] == "tokens_per_s") & (table["machine"] == "all")].iloc[0]
    own = points[0][(points[0]["quantity"] == "tokens_per_s") & (points[0]["speed"] == "predicted")]
    assert line["median"] == pytest.approx(np.median(np.abs(own["error"])))
    both = own[own["other_error"].notna()]
    assert line["same_rows_median"] == pytest.approx(np.median(np.abs(both["error"])))
    assert line["other_median"] > line["same_rows_median"]


def test_gains_are_over_the_first_format_and_what_bounds_is_busiest():
    low_bit = LowBit(model="llama-3.2-1b", machines=["rtx-4090"], formats=["fp16", "ternary-2.125"], batch=[1, 64])
    table, why = gain_table(low_bit)
    assert not why
    first, narrow = (table[(table["format"] == name) & (table["batch"] == 1)].iloc[0] for name in low_bit.formats)
    assert (first["speed_gain"], first["energy_gain"]) == (1.0, 1.0)
    for batch in low_bit.batch:
        usual, other = (
            table[(table["format"] == name) & (table["batch"] == batch)].iloc[0] for name in low_bit.formats
        )
        assert other["speed_gain"] == pytest.approx(other["tokens_per_s"] / usual["tokens_per_s"])
        assert other["energy_gain"] == pytest.approx(usual["j_per_token"] / other["j_per_token"])
        assert (usual["weight_bits"], other["weight_bits"]) == (16, 2.125)
    assert first["bound_by"] == "off_chip"
    stored = stored_values(presets()[low_bit.model].blocks)
    bits = 16 * (stored["weights"] + (stored["lm_head"] or stored["embedding"]))
    peak = platforms()["rtx-4090"].off_chip.bandwidth_gb_per_s * 8e9
    share = bits / peak * first["tokens_per_s"]
    assert first["off_chip_utilisation"] == pytest.approx(share, rel=0.03)  # and the cache
    shares = table[[name for name in table.columns if name.endswith("_utilisation")]]
    assert (shares <= 1).all(axis=None)
    rate = platforms()["rtx-4090"].overheads.unpack_weights_per_s["ternary"]
    unpacked = stored["weights"] + (stored["lm_head"] or stored["embedding"])
    assert narrow["unpacking_utilisation"] == pytest.approx(unpacked / rate * narrow["tokens_per_s"], rel=0.01)


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ("{}", "measured: requires one of use and low_bit; expected exactly one of them"),
        ("{use: context only}", "measured.use: 'context only' is unknown; expected one of hold, fit"),
        ("{use: hold, prompt_tokens: [9, 2]}", "measured.prompt_tokens: got [9.0, 2.0]; expected low and high"),
        (
            "{low_bit: {model: llama-3.1-8b, machines: [rtx-409O], formats: [fp16, w4-k]}}",
            "measured.low_bit.machines[0]: 'rtx-409O' is unknown",
        ),
    ],
)
def test_wrong_files_are_told(tmp_path, measured, told):
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\nmeasured: {measured}\n")
    with pytest.raises(InputError) as raised:
        read_measured_experiment(open_experiment(path))
    assert told.split(";")[0] in str(raised.value)


def test_errors_are_summed_up_by_machine_and_of_all_by_quantity():
    """Bias keeps the sign, which median and 90th percentile of the magnitudes do not; both ways on the same rows."""
    rows = [("a", "tokens_per_s", "predicted", -0.5, "roof", 0.2), ("a", "tokens_per_s", "predicted", 0.1, "", None),
            ("a", "tokens_per_s", "predicted", 0.3, "roof", -0.9), ("b", "tokens_per_s", "predicted", -0.2, "", None),
            ("b", "j_per_token", "measured", 0.4, "", None)]  # fmt: skip
    columns = ["machine", "quantity", "speed", "error", "other_way", "other_error"]
    table = error_table(pd.DataFrame(rows, columns=columns))
    assert list(table[["quantity", "speed", "machine", "rows"]].itertuples(index=False, name=None)) == [
        ("tokens_per_s", "predicted", "a", 3), ("tokens_per_s", "predicted", "b", 1),
        ("tokens_per_s", "predicted", "all", 4), ("j_per_token", "measured", "b", 1),
        ("j_per_token", "measured", "all", 1),
    ]  # fmt: skip
    for row in table.to_dict("records"):
        own = [each for each in rows if each[1] == row["quantity"] and row["machine"] in (each[0], "all")]
        errors, both = np.array([each[3] for each in own]), [each for each in own if each[5] is not None]
        ours, theirs = (np.abs([each[at] for each in both]) for at in (3, 5))
        wanted = {
            "bias": np.median(errors), "median": np.median(np.abs(errors)),
            "ninetieth": np.quantile(np.abs(errors), 0.9),
            "other_rows": len(both), "same_rows_median": np.median(ours) if both else np.nan,
            "other_median": np.median(theirs) if both else np.nan,
            "other_ninetieth": np.quantile(theirs, 0.9) if both else np.nan,
        }  # fmt: skip
        assert {key: row[key] for key in wanted} == pytest.approx(wanted, nan_ok=True)
        assert row["other_way"] == ("roof" if both else "")
