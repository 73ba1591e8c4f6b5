"""What ``bitjoule stats`` prints of each kind of linear: the counts of its layers together, cell by cell."""

import csv
import re

import pandas as pd
import pytest

from bitjoule.experiments.hardware import model
from bitjoule.sim.llm.linears import OverflowInModelError
from bitjoule.sim.llm.model import Model
from bitjoule.sim.llm.trained import shipped_models


def cells(text):
    """Return the rows of the two tables by the first column, of tables that are not cut."""
    tables = (part.split("\n\n")[0] for part in re.split(r"─\n", text)[1:])
    return [{line.split()[0]: line.split()[1:] for line in table.splitlines()} for table in tables]


def test_a_kinds_counts_are_those_of_its_layers_together_and_all_come_last(bitjoule, tmp_path, monkeypatch):
    """Layers are of one size, so a share of all of them is the mean of their shares."""
    monkeypatch.setenv("COLUMNS", "400")
    path = tmp_path / "stats.csv"
    status, out, err = bitjoule("stats", "tiny-b158", "--new-tokens", 2, "--bus-bits", 16, "-o", path)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "tiny-b158"
    assert "Bus: 16 bits wide; " in out
    with path.open(newline="") as handle:
        rows = pd.DataFrame(csv.DictReader(handle))
    rows["kind"] = rows["linear"].str.rsplit(".", n=1).str[-1]
    names = [name for name in rows if name not in ("linear", "kind")]
    rows[names] = rows[names].apply(pd.to_numeric)
    kinds = list(dict.fromkeys(rows["kind"]))
    assert len(rows) > len(kinds) > 5
    weights, activations = cells(out)
    assert list(weights) == list(activations) == [*kinds, "all"]
    mean, total = rows.groupby("kind")[names].mean(), rows.groupby("kind")[names].sum()
    for table, at, column in (
        (weights, 1, "weight_zero_share"), (weights, 2, "weight_negative_share"),
        (activations, 1, "activation_zero_share"),
    ):  # fmt: skip
        found = [float(table[kind][at]) for kind in kinds]
        assert found == pytest.approx(list(mean.loc[kinds, column]), abs=6e-4)
        assert len(set(found)) > 2
    for table, column in ((weights, "weights"), (activations, "tokens")):
        found = [int(table[kind][0].replace(",", "")) for kind in [*kinds, "all"]]
        assert found == [*total.loc[kinds, column], total[column].sum()]


def test_what_is_found_when_a_model_is_read_is_a_warning(bitjoule, monkeypatch):
    select = model.select_model

    def selected(*arguments):
        found = select(*arguments)

        def read(warn):
            warn("its config is odd")
            return found.read(warn)

        return found._replace(read=read)

    monkeypatch.setattr(model, "select_model", selected)
    status, _, err = bitjoule("stats", "tiny-b158", "--new-tokens", 1)
    assert (status, err) == (0, "bitjoule: warning: its config is odd\n")


def test_floating_point_weights_are_quantised_as_is_asked_for(bitjoule, tmp_path):
    """Signs are never zero; trits are."""
    shares = {}
    for weights in ("ternary", "binary"):
        path = tmp_path / f"{weights}.csv"
        assert bitjoule("stats", "tiny-fp16", "--weights", weights, "--new-tokens", 1, "-o", path)[0] == 0
        with path.open(newline="") as handle:
            shares[weights] = [float(row["weight_zero_share"]) for row in csv.DictReader(handle)]
    assert set(shares["binary"]) == {0.0}
    assert min(shares["ternary"]) > 0.1


@pytest.mark.parametrize("weights", [None, "ternary"])
def test_a_model_that_cannot_be_counted_is_named_as_it_is_given(bitjoule, tmp_path, monkeypatch, weights):
    """One without integers, and, once they are quantised, one whose activations overflow."""

    def overflows(*_, **__):
        raise OverflowInModelError("blocks.3.q_proj")
        yield 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Model, "generate", overflows)
    (tmp_path / "mine").symlink_to(shipped_models()["tiny-fp16"])
    wrong = "file: has floating-point weights; expected trits or ±1; --weights ternary quantises them"
    if weights is not None:
        wrong = f"file: {OverflowInModelError('blocks.3.q_proj')}; expected weights of a working model"
    for given, file in ((["./mine"], "./mine"), (["tiny-fp16"], "tiny-fp16")):
        options = [] if weights is None else ["--weights", weights]
        assert bitjoule("stats", *given, *options) == (2, "", f"{file}:1: {wrong}\n")
