"""A name, a path, or all of it: whatever is named, the same faults are told in the same words."""

from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.execution import read
from tests.experiments.technology_files import write_technology

ROOT = Path(__file__).parents[2]

ENERGY = {"name": "x", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"]}
SYSTEM = {**ENERGY, "accounting": "system", "platforms": ["fp16-edge"]}
GATES = {"name": "x", "gates": {"arrays": ["tiny_8x4"], "stimuli": ["worst"]}}
ONES = {  # an experiment, the key of a list in it, what its entries are, and what a path should lead to
    "model": (ENERGY, "models", "model", "a config.json or its folder"),
    "technology": (ENERGY, "technologies", "technology", "a technology that `bitjoule calibrate` wrote"),
    "other technology": ({"name": "x", "compare": [["45nm", "7nm"]]}, "compare[0]", "technology",
                         "a technology that `bitjoule calibrate` wrote"),
    "platform": (SYSTEM, "platforms", "platform", "a platform's YAML"),
    "array": (GATES, "gates.arrays", "accelerator", "an accelerator's YAML"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONES)
def test_what_is_not_there_is_told_in_the_same_words(name):
    experiment, key, kind, file = ONES[name]
    at = f"{key}[0]"
    for text, says in (
        ("nowhere/x.json", f"override of {at}:1: {at}: 'nowhere/x.json' not found; expected {file}"),
        ("nothing", f"override of {at}:1: {at}: unknown {kind} 'nothing'; expected one of "),
    ):
        with pytest.raises(InputError) as raised:
            read(experiment, {at: text})
        assert str(raised.value).startswith(says)


def test_two_of_one_name_are_told_where_the_second_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fp16-edge.yaml").write_text("like: fp16-hbm\n")
    (tmp_path / "bitnet-125m").mkdir()
    config = ROOT / "tests" / "energy_models" / "configs" / "llama-7b" / "config.json"
    (tmp_path / "bitnet-125m" / "config.json").write_bytes(config.read_bytes())
    write_technology(tmp_path / "7nm.yaml")
    twice = {
        "models": ["bitnet-125m", "./bitnet-125m"],
        "technologies": ["7nm", "7nm.yaml"],
        "platforms": ["fp16-edge", "fp16-edge.yaml"],
    }
    with pytest.raises(InputError) as raised:
        read({**SYSTEM, **twice})
    assert str(raised.value).splitlines() == [
        "experiment:1: models[1]: duplicate model 'bitnet-125m'; expected each name once",
        "experiment:1: technologies[1]: duplicate technology '7nm'; expected each name once",
        "experiment:1: platforms[1]: duplicate platform 'fp16-edge'; expected each name once",
    ]
