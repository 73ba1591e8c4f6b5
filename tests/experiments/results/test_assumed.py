"""What a result assumes beside its prices, and the kinds of its formats."""

from types import SimpleNamespace

import pytest
import yaml

from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.experiments.results.assumed import assumed, scheme_kinds

PARTS = ("experiment", "platform", "scheme", "model")
TOLD = {"factor": "x{:g}", "end": "{} end", "value": "{}"}


def told(alternative):
    """Return what an end is called: its label, or the one change that it makes; none of several changes."""
    changes = {next(iter(change.items())) for part in PARTS for change in alternative.get(part, {}).values()}
    if "label" in alternative or not changes:
        return alternative.get("label", "as run")
    (kind, value), *others = changes
    text = TOLD[kind].format(value)
    return None if others else text.lower() if value is None or isinstance(value, bool) else text


def test_assumptions_are_those_of_the_data_with_their_ends_in_order():
    data = yaml.safe_load((DATA / "assumptions.yaml").read_text())["assumptions"]
    table = assumed(SimpleNamespace(experiment={"accounting": "system"}))
    assert table["assumption"].tolist() == list(data)
    different = 0
    for row, entry in zip(table.to_dict("records"), data.values(), strict=True):
        assert (row["source"], row["reason"]) == (entry["source"], " ".join(entry["reason"].split()))
        low, high = (told(entry.get(end, {})) for end in ("low", "high"))
        assert low in (None, row["low"])
        assert high in (None, row["high"])
        different += None not in (low, high) and low != high
    assert different > 5
    assert not assumed(SimpleNamespace(experiment={"accounting": "arithmetic"})).size


@pytest.mark.parametrize("key", ["schemes", "formats"])
def test_a_scheme_of_the_run_is_of_the_kind_that_the_run_gives_it(key):
    """A name may be one that ships, with other weights; names of nothing have no kind."""
    own = [{"name": "bitnet-b1.58", "weights": "int4"}, {"name": "mine", "weights": "binary int8"}, "fp16", "nothing"]
    kinds = scheme_kinds({key: own})
    assert (kinds["bitnet-b1.58"], kinds["mine"], kinds["fp16"]) == ("integer", "binary", "float")
    assert scheme_kinds({})["bitnet-b1.58"] == "ternary"
    assert "nothing" not in kinds
