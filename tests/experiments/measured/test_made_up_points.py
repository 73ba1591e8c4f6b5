"""Points and gains of made-up predictions, no two of whose numbers are equal, against rows written out by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.machines.predict import Prediction
from bitjoule.energy_models.machines.rows import MeasuredRow
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.measured import tables
from bitjoule.experiments.measured.schema import LowBit, Measured


def row(line, use, speed, energy, batch=1.0):
    cells = {"device": f"device {line}", "model": f"model {line}", "weights": f"weights {line}",
             "activations": f"activations {line}", "phase": f"phase {line}", "use": use}  # fmt: skip
    return MeasuredRow("rows.csv", line, cells, batch, speed, energy, None, None)


HELD = [row(2, "hold", 10.0, 5.0, 4.0), row(4, "hold", 20.0, None), row(7, "hold", 50.0, 3.0), row(9, "hold", 8.0, 2.0)]
ROWS = [HELD[0], row(3, "fit", 1.0, 1.0), HELD[1], row(5, "", 7.0, 6.0), *HELD[2:]]
FREE = {"tokens_per_s": (9.0, 14.0), "j_per_token": (3.5, 6.5)}
PREDICTED = {
    False: [("m1", "s1", "chip", 12.0, 4.0, FREE, ""), ("m1", "s2", "chip", 15.0, 9.0, {}, ""),
            ("", "", "", None, None, {}, "no such device"), ("m2", "s3", "board", 10.0, 3.0, {}, "")],
    True: [("m1", "s1", "chip", 10.0, 4.5, {"j_per_token": (4.25, 4.75)}, ""), ("m1", "s2", "chip", 20.0, 9.5, {}, ""),
           ("", "", "", None, None, {}, "no such device"), ("m2", "s3", "board", 8.0, 1.5, {}, "")],
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """Answer in place of the models of machines; return what was asked."""
    calls = []

    def predictions(rows, machines, lengths, speed_given):
        calls.append(([each.line for each in rows], len(machines) > 1, lengths.prompt_tokens, speed_given))
        return [Prediction(each, *made) for each, made in zip(rows, PREDICTED[speed_given], strict=True)]

    monkeypatch.setattr(tables, "read_rows", lambda: (["device"], ROWS))
    monkeypatch.setattr(tables, "predictions", predictions)
    monkeypatch.setattr(tables, "roofline_tokens_per_s", lambda rows, _: [each.tokens_per_s * 1.5 for each in rows])
    watts = {2: 6.0, 9: None}
    monkeypatch.setattr(
        tables, "constant_watts", lambda rows, of: [watts.get(each.line) for each in rows if len(of) == len(ROWS)]
    )
    return calls


def test_each_predicted_number_is_a_row_with_its_ends_and_what_else_predicts_it(asked):
    """Energies stand there twice: at the predicted speed, and beside constant watts at the measured one."""
    table, why = tables.point_table(Measured(use="hold", prompt_tokens=[33.0, 44.0]))
    assert asked == [([2, 4, 7, 9], True, (33.0, 44.0), given) for given in (False, True)]
    assert why == ["line 7: no such device"]
    none = ("", None, None)
    expected = [
        (2, "tokens_per_s", "predicted", 10.0, 12.0, 9.0, 14.0, 0.2, "roofline", 15.0, 0.5),
        (4, "tokens_per_s", "predicted", 20.0, 15.0, 15.0, 15.0, -0.25, "roofline", 30.0, 0.5),
        (9, "tokens_per_s", "predicted", 8.0, 10.0, 10.0, 10.0, 0.25, "roofline", 12.0, 0.5),
        (2, "j_per_token", "predicted", 5.0, 4.0, 3.5, 6.5, -0.2, *none),
        (9, "j_per_token", "predicted", 2.0, 3.0, 3.0, 3.0, 0.5, *none),
        (2, "j_per_token", "given", 5.0, 4.5, 4.25, 4.75, -0.1, "constant watts", 6.0, 0.2),
        (9, "j_per_token", "given", 2.0, 1.5, 1.5, 1.5, -0.25, *none),
    ]  # fmt: skip
    columns = ["line", "quantity", "speed", "measured", "predicted", "low", "high", "error", "other_way", "other",
               "other_error"]  # fmt: skip
    found = table[columns].astype(object).where(table[columns].notna(), None)
    for mine, wanted in zip(found.itertuples(index=False, name=None), expected, strict=True):
        assert mine == pytest.approx(wanted)
    for each in table.to_dict("records"):
        line = each["line"]
        assert (each["machine"], each["metered"]) == (("m2", "board") if line == 9 else ("m1", "chip"))
        told = [each[key] for key in ("device", "model", "weights", "activations", "phase")]
        assert told == [f"{key} {line}" for key in ("device", "model", "weights", "activations", "phase")]
        assert each["batch"] == (4 if line == 2 else 1)


SPEEDS = {("a", "fp16"): (10.0, 300.0), ("a", "w4-k"): (25.0, 330.0), ("b", "w4-k"): (7.0, 80.0),
          ("b", "int8"): (6.0, 90.0), ("a", "int8"): (16.0, 450.0)}  # fmt: skip
JOULES = {("a", "fp16"): (8.0, 1.2), ("a", "w4-k"): (2.0, 0.9), ("b", "w4-k"): (3.0, 0.5), ("b", "int8"): (5.0, 0.4),
          ("a", "int8"): (4.0, 0.6)}  # fmt: skip


def test_gains_are_those_over_the_first_format_at_the_same_batch_and_none_where_it_cannot_run(monkeypatch):
    def cases(low_bit, machine, name):
        if (machine, name) not in SPEEDS:
            raise UnpricedError(f"no array of {machine} computes it", "another one")
        for at, batch in enumerate(low_bit.batch):
            speed, energy = SPEEDS[machine, name][at], JOULES[machine, name][at]
            line = {"machine": machine, "format": name, "batch": batch, "tokens_per_s": speed, "j_per_token": energy}
            yield dict.fromkeys(tables.GAIN_COLUMNS, 0.125) | line

    monkeypatch.setattr(tables, "_cases", cases)
    low_bit = SimpleNamespace(machines=["a", "b"], formats=["fp16", "w4-k", "int8"], batch=[64, 1])
    assert set(LowBit.model_fields) > {"machines", "formats", "batch"}
    table, why = tables.gain_table(low_bit)
    assert why == ["b, fp16: no array of b computes it; expected another one"]
    keys = [("a", name, batch) for name in low_bit.formats for batch in low_bit.batch]
    keys += [("b", name, batch) for name in low_bit.formats[1:] for batch in low_bit.batch]
    assert list(table[["machine", "format", "batch"]].itertuples(index=False, name=None)) == keys
    gains = {key: pair for key, *pair in zip(keys, table["speed_gain"], table["energy_gain"], strict=True)}
    expected = {
        ("a", "fp16", 64): (1, 1), ("a", "fp16", 1): (1, 1), ("a", "w4-k", 64): (2.5, 4.0),
        ("a", "w4-k", 1): (1.1, 1.2 / 0.9), ("a", "int8", 64): (1.6, 2.0), ("a", "int8", 1): (1.5, 2.0),
    }  # fmt: skip
    for key, pair in gains.items():
        assert pair == pytest.approx(expected.get(key, (math.nan, math.nan)), nan_ok=True), key


def test_errors_of_each_machine_are_told_by_name_then_those_of_all():
    """Bias has a sign, the others none; the other way is compared on the rows that it predicts."""
    errors = {"b": [0.5, -0.1, 0.2, 0.02], "a": [-0.4, -0.3, -0.9]}
    others = {"b": [None, 0.6, -0.8, None], "a": [None, None, None]}
    rows = [
        {"quantity": quantity, "speed": speed, "machine": machine, "error": error, "other_error": other,
         "other_way": "" if other is None else "roofline"}
        for quantity, speed in (("tokens_per_s", "predicted"), ("j_per_token", "given"))
        for machine in errors for error, other in zip(errors[machine], others[machine], strict=True)
    ]  # fmt: skip
    table = tables.error_table(pd.DataFrame(rows))
    assert table[["quantity", "speed", "machine", "rows"]].to_numpy().tolist() == [
        [quantity, speed, machine, count]
        for quantity, speed in (("tokens_per_s", "predicted"), ("j_per_token", "given"))
        for machine, count in (("a", 3), ("b", 4), ("all", 7))
    ]
    for machine, line in table[:3].set_index("machine").iterrows():
        own = np.array(errors["b"] + errors["a"] if machine == "all" else errors[machine])
        assert line["bias"] == pytest.approx(np.median(own))
        assert line["median"] == pytest.approx(np.median(np.abs(own)))
        assert line["ninetieth"] == pytest.approx(np.percentile(np.abs(own), 90))
        told = line[["other_way", "other_rows", "same_rows_median", "other_median", "other_ninetieth"]].tolist()
        if machine == "a":
            assert told[:2] == ["", 0]
            assert np.isnan(told[2:]).all()
        else:
            assert told[:2] == ["roofline", 2]
            assert told[2:] == pytest.approx([0.15, 0.7, 0.78])
