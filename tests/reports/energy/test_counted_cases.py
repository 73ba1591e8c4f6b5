"""Where a text says how many there are: it does from the second on, and of one, of two and of three."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.reports.energy.sensitivity import _turning
from bitjoule.reports.energy.workloads import first_workload, workload_text
from bitjoule.reports.figures.markdown import cut

COUNTS = (1, 2, 3)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("axis", ["batch", "prompt_tokens", "new_tokens"])
def test_a_workload_is_the_first_of_as_many_as_the_sweep_has(axis, count):
    workload = {"batch": [5], "prompt_tokens": [7], "new_tokens": [9]} | {axis: [4 + i for i in range(count)]}
    frames = SimpleNamespace(
        summary=pd.DataFrame({key: [values[0]] for key, values in workload.items()}), workload=workload,
        models=pd.DataFrame({"unit": ["token"]}),
    )  # fmt: skip
    _, text = first_workload(frames)
    plain = workload_text(*(workload[key][0] for key in ("batch", "prompt_tokens", "new_tokens")))
    assert text == plain + (f" (first of {count} workloads)" if count > 1 else "")


@pytest.mark.parametrize("batch", COUNTS)
def test_a_batch_is_told_from_two_sequences_on(batch):
    assert workload_text(batch, 7, 9) == "7 prompt tokens, 9 new tokens" + (f", batch {batch}" if batch > 1 else "")


@pytest.mark.parametrize(("rows", "most"), [(1, 2), (2, 2), (3, 2)])
def test_a_table_is_said_to_be_cut_where_rows_are_left_out(rows, most):
    assert cut(rows, most, "f.csv") == (f"\n\nThe first 2 of {rows} rows; all are in f.csv." if rows > most else "")


def test_cases_in_which_another_scheme_takes_least_are_counted_over_models_and_technologies():
    """Each scheme of a case has a row; the cause moves the least scheme at its low end, at its high end, or not."""
    cases = [(model, node, end) for model in "ab" for node in ("45nm", "7nm") for end in ("low", "high", "neither")]
    rows = [
        {
            "cause": f"one {end}", "model": model, "technology": node, "scheme": scheme, "phase": "decode",
            "platform": "chip", "batch": 1, "prompt_tokens": 2, "new_tokens": 3, "turns": False, "least": "fp16",
            "least_low": "bitnet" if end == "low" else "fp16", "least_high": "bitnet" if end == "high" else "fp16",
        }
        for model, node, end in cases for scheme in ("fp16", "bitnet")
    ]  # fmt: skip
    text = _turning(pd.DataFrame(rows))
    assert text.splitlines()[2:] == [
        f"- one {end}: bitnet instead of fp16 needs the least energy in 4 of the cases" for end in ("low", "high")
    ]
