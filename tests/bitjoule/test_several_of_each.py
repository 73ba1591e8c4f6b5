"""With two values on each axis the row of each case is that of the case alone, and ratios are over its own baseline.

No two values of an axis are alike, so a case that takes a value of another shows.
"""

from itertools import product

import pandas as pd
import pytest

import bitjoule


def shape(name, layers, hidden, ffn, vocabulary):
    """Return a small decoder."""
    return {"name": name, "layers": layers, "hidden": hidden, "heads": 2, "ffn": ffn, "ffn_gated": True,
            "activation": "silu", "vocabulary": vocabulary}  # fmt: skip


MACHINES = [
    {"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}},
    {"name": "edge", "by_scheme": {"fp16": "fp16-edge", "bitnet-b1.58": "ternary-edge"}},
]
COMMON = {
    "name": "several", "models": [shape("small", 2, 64, 128, 500), shape("large", 3, 128, 320, 700)],
    "schemes": ["fp16", "bitnet-b1.58"], "technologies": ["7nm", "45nm"], "baseline": {"scheme": "fp16"},
}  # fmt: skip
INFERENCE = {"platform": "edge", "prompt_tokens": 32, "new_tokens": 8, "batch": 2}
KINDS = {
    "serving": COMMON | {
        "platforms": MACHINES, "workload": {"batch": [2, 5], "prompt_tokens": [24, 40], "new_tokens": [3, 7]},
        "serving": {"ways": [{"name": "plain"}, {"name": "chunks", "chunk_tokens": 16}]},
    },
    "training": COMMON | {
        "platforms": [MACHINES[0], {"name": "other", "by_scheme": dict.fromkeys(COMMON["schemes"], "fp16-edge")},
                      MACHINES[1]],
        "training": {"tokens": 1e9, "sequence_tokens": 64, "sequences": 2, "inference": INFERENCE,
                     "ways": [{"name": "kept"}, {"name": "again", "activations": "recomputed"}]},
    },
}  # fmt: skip
OF_WORKLOAD = ("batch", "prompt_tokens", "new_tokens")
KEYS = {
    "serving": ("model", "scheme", "technology", "platform", *OF_WORKLOAD, "way"),
    "training": ("model", "scheme", "technology", "platform", "way"),
}
TABLES = {"serving": ("stages", "arrays", "utilisation"), "training": ("passes", "memory")}
COMPARED = ("ratio_", "gain_", "payback_")  # columns that say something of two cases


def alone(kind, case):
    """Return the experiment of one case."""
    data = KINDS[kind] | {
        "models": [model for model in COMMON["models"] if model["name"] == case["model"]],
        "schemes": [case["scheme"]], "technologies": [case["technology"]],
        "platforms": [
            {**each, "by_scheme": {case["scheme"]: each["by_scheme"][case["scheme"]]}}
            for each in KINDS[kind]["platforms"]
            if each["name"] == case["platform"] or (kind == "training" and each["name"] == "edge")
        ],
    }  # fmt: skip
    ways = [way for way in data[kind]["ways"] if way["name"] == case["way"]]
    data[kind] = data[kind] | {"ways": ways}
    if kind == "serving":
        data["workload"] = {key: case[key] for key in OF_WORKLOAD}
    return {key: value for key, value in data.items() if key != "baseline"}


@pytest.fixture(scope="module", params=list(KINDS))
def whole(request):
    return request.param, bitjoule.run(KINDS[request.param])


def axes(kind):
    """Return the values of each key, in the order of the experiment."""
    data = KINDS[kind]
    platforms = [each["name"] for each in data["platforms"] if kind == "serving" or each["name"] != "edge"]
    workload = [data["workload"][key] for key in OF_WORKLOAD] if kind == "serving" else []
    ways = [way["name"] for way in data[kind]["ways"]]
    models = [model["name"] for model in data["models"]]
    return [models, data["schemes"], data["technologies"], platforms, *workload, ways]


def test_there_is_a_row_for_each_case_in_the_order_of_the_experiment(whole):
    kind, result = whole
    keys = list(KEYS[kind])
    assert list(result.summary[keys].itertuples(index=False, name=None)) == list(product(*axes(kind)))
    energies = result.summary.filter(regex=r"^(request_j|training_j)$").iloc[:, 0]
    assert len(set(energies.round(12))) == len(result.summary)


def test_each_case_is_what_it_is_alone(whole):
    """A sample of the cases, in which each value of each axis is."""
    kind, result = whole
    keys, found = list(KEYS[kind]), result.summary.iloc[3 :: len(result.summary) // 7 | 1]
    assert all(len(set(found[key])) == len(values) for key, values in zip(keys, axes(kind), strict=True))
    own = [name for name in result.summary if not name.startswith(COMPARED)]
    for place, row in found.iterrows():
        case = row[keys].to_dict()
        single = bitjoule.run(alone(kind, case))
        expected = single.summary[own].reset_index(drop=True)
        pd.testing.assert_frame_equal(result.summary.loc[[place], own].reset_index(drop=True), expected, rtol=1e-9)
        for name in TABLES[kind]:
            table, wanted = getattr(result, name), getattr(single, name)
            mine = table[(table[keys] == [case[key] for key in keys]).all(axis=1)].reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, wanted.reset_index(drop=True), rtol=1e-9)


def test_ratios_are_over_the_baseline_of_the_same_case(whole):
    kind, result = whole
    keys = [key for key in KEYS[kind] if key != "scheme"]
    column, ratio = {
        "serving": ("request_j", "ratio_to_baseline_request"),
        "training": ("inference_per_token_j", "ratio_to_baseline_inference"),
    }[kind]
    base = {tuple(row[key] for key in keys): row[column] for row in result.summary.to_dict("records")
            if row["scheme"] == "fp16"}  # fmt: skip
    assert len(base) == len(result.summary) / 2
    for row in result.summary.to_dict("records"):
        assert row[ratio] == pytest.approx(base[tuple(row[key] for key in keys)] / row[column], rel=1e-12)
