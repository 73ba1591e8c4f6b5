"""The experiment with published designs: what its table holds, and wrong input."""

import pytest

import bitjoule
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.machines.designs import design_names, predicted


def test_a_row_for_each_design_and_phase():
    table = bitjoule.run({"name": "x", "designs": ["tellme-v2", "kv260-bitnet"]}).summary
    found = list(predicted(["tellme-v2", "kv260-bitnet"]))
    assert list(table["design"]) == [each.cells["design"] for each in found]
    assert list(table["j_per_token"]) == [each.j_per_token for each in found]
    errors = table["tokens_per_s"] / table["printed_tokens_per_s"] - 1
    assert list(table["error_tokens_per_s"]) == pytest.approx(list(errors))


def test_every_column_is_that_of_the_published_row_or_of_its_prediction():
    """Of all designs, one of which prints no joules."""
    found = list(predicted(design_names()))
    table = bitjoule.run({"name": "x", "designs": list(design_names())}).summary
    same = {key: key for key in ("design", "platform", "model", "scheme", "phase", "inputs", "source", "where", "note")}
    numbers = {"printed_tokens_per_s": "tokens_per_s", "process_nm": "process_nm", "prompt_tokens": "prompt_tokens"}
    for row, each in zip(table.to_dict("records"), found, strict=True):
        assert {key: row[key] for key in same} == {key: each.cells[key] for key in same}
        assert {key: row[key] for key in numbers} == {key: float(each.cells[of]) for key, of in numbers.items()}
        assert (row["experiment"], row["metered"]) == ("x", each.cells["scope"])
        assert (row["tokens_per_s"], row["j_per_token"]) == (each.tokens_per_s, each.j_per_token)
        assert {node: row[f"j_per_token_{node}"] for node in ("45nm", "7nm")} == dict(each.at_nodes)
        assert row["j_per_token_45nm"] > row["j_per_token_7nm"]
        printed = float(each.cells["j_per_token"] or "nan")
        errors = [each.tokens_per_s / float(each.cells["tokens_per_s"]) - 1, each.j_per_token / printed - 1]
        found_errors = [float(row[f"error_{of}"]) for of in ("tokens_per_s", "j_per_token")]
        assert found_errors == pytest.approx(errors, nan_ok=True)
        assert float(row["printed_j_per_token"]) == pytest.approx(printed, nan_ok=True)


@pytest.mark.parametrize(
    ("designs", "message"),
    [
        (["vitalm"], "designs[0]: 'vitalm' is unknown (did you mean 'vitallm'?)"),
        ([], "designs: is empty; expected at least 1 item"),
    ],
)
def test_a_wrong_design_is_named(designs, message):
    with pytest.raises(InputError) as raised:
        bitjoule.run({"name": "x", "designs": designs})
    assert message in str(raised.value)
