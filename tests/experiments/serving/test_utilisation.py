"""The table of what bounds each phase of serving, and of the shares of the peaks."""

from itertools import product

import pytest

import bitjoule
from bitjoule.experiments.serving.utilisation import BOUND_COLUMNS, UTILISATION_COLUMNS

LINK = {"energy_pj_per_bit": 0.5, "bandwidth_gb_per_s": 20.0}
EXPERIMENT = {
    "name": "chips", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"],
    "platforms": ["fp16-hbm"], "workload": {"prompt_tokens": 64, "new_tokens": 8, "batch": 2},
    "serving": {"link": LINK, "ways": [{"name": "one"}, {"name": "four", "tensor_parallel": 4}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return bitjoule.run(EXPERIMENT)


def test_each_phase_has_a_row_and_links_have_their_share(found):
    table = found.utilisation.set_index(["way", "phase"])
    assert list(table.index) == list(product(("one", "four"), ("prefill", "decode")))
    summary = found.summary.set_index("way")
    stages = found.stages.set_index(["way", "phase", "stage"])["energy_j"]
    for (way, phase), row in table.iterrows():
        seconds = summary.loc[way, "first_token_s"]
        if phase == "decode":
            seconds = summary.loc[way, "per_token_s"] * 8
        assert row["time_s"] == pytest.approx(seconds, rel=1e-12)
        assert row[list(BOUND_COLUMNS)].sum() == pytest.approx(seconds, rel=1e-12)
        assert row["bound_by"] == row[list(BOUND_COLUMNS)].astype(float).idxmax()[len("bound_by_") : -len("_s")]
        assert row["chips"] == (1 if way == "one" else 4)
        # the joules of the links say how many bits crossed them
        bits = stages.get((way, phase, "link"), 0.0) / 0.5e-12
        assert row["link_utilisation"] == pytest.approx(bits / (4 * 20 * 8e9 * seconds), rel=1e-12)
        assert (row[list(UTILISATION_COLUMNS)] <= 1).all()
    assert (table.xs("four", level="way")["link_utilisation"] > 0).all()


def test_on_one_chip_shares_are_those_of_an_energy_experiment(found):
    energy = {key: value for key, value in EXPERIMENT.items() if key != "serving"} | {"accounting": "system"}
    theirs = bitjoule.run(energy).summary
    ours = found.utilisation.set_index(["way", "phase"])
    names = [name for name in UTILISATION_COLUMNS if "link" not in name]
    for _, row in theirs[theirs["phase"] != "request"].iterrows():
        own = ours.loc[("one", row["phase"])]
        assert own[names].astype(float).tolist() == pytest.approx(row[names].astype(float).tolist(), rel=1e-3)
