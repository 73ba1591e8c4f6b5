"""The experiment with published designs: what its table holds, and wrong input."""

import pytest

import bitjoule
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.machines.designs import predicted


def test_a_row_for_each_design_and_phase():
    table = bitjoule.run({"name": "x", "designs": ["tellme-v2", "kv260-bitnet"]}).summary
    found = list(predicted(["tellme-v2", "kv260-bitnet"]))
    assert list(table["design"]) == [each.cells["design"] for each in found]
    assert list(table["j_per_token"]) == [each.j_per_token for each in found]
    errors = table["tokens_per_s"] / table["printed_tokens_per_s"] - 1
    assert list(table["error_tokens_per_s"]) == pytest.approx(list(errors))


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
