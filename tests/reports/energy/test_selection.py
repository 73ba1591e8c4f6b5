"""Which models a plot draws where those of the experiment are overridden."""

import pytest

from bitjoule import run_experiment
from bitjoule.reports.energy.selection import selected


@pytest.mark.parametrize(
    ("listed", "drawn"),
    [
        (["bitnet-1.3b"], ["bitnet-1.3b"]),
        (["bitnet-70b", "bitnet-1.3b"], ["bitnet-1.3b"]),  # a preset that is not run
        (["bitnet-70b"], ["bitnet-125m", "bitnet-1.3b"]),
        (None, ["bitnet-125m", "bitnet-1.3b"]),
    ],
)
def test_a_plot_draws_those_of_its_models_that_are_run_and_all_if_none_is(listed, drawn):
    plot = {"kind": "components"} | ({} if listed is None else {"models": listed})
    result = run_experiment(
        {"name": "x", "models": ["bitnet-125m", "bitnet-1.3b"], "schemes": ["fp16"], "technologies": ["7nm"],
         "plots": [plot]}
    )  # fmt: skip
    frames = selected(result.frames, result.requested[0])
    assert list(frames.models.index) == drawn
    assert set(frames.summary["model"]) == set(drawn)


def test_the_models_of_a_shipped_experiment_can_be_overridden(bitjoule, tmp_path):
    command = ("run", "full_model_measured", "--set", "models=[bitnet-2.7b]", "--no-plots", "--out", tmp_path)
    status, out, _ = bitjoule(*command)
    assert status == 0
    assert "bitnet-2.7b, at 7nm-measured" in out
