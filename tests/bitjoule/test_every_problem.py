"""An experiment with several wrong names has a problem for each: of each list the second and third, too."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.execution import read, read_all
from tests.experiments.exploration.cases import document

REQUEST = {
    "name": "x", "models": ["bitnet-125x", "bitnet-125m", "gone"], "schemes": ["fp17", "fp16", "int7"],
    "technologies": ["8nm", "9nm"], "platforms": ["edgy", "edge"],
    "workload": {"prompt_tokens": 4, "new_tokens": 2},
}  # fmt: skip
OF_REQUEST = ["models[0]", "models[2]", "schemes[0]", "schemes[2]", "technologies[0]", "technologies[1]",
              "platforms[0]", "platforms[1]"]  # fmt: skip
UNTIMED = {key: value for key, value in REQUEST.items() if key != "workload"}
LOW_BIT = {"model": "gone", "machines": ["h100", "h101", "a101"], "formats": ["fp16", "w5-k", "w6-x"]}
OF_LOW_BIT = ["model", "machines[1]", "machines[2]", "formats[1]", "formats[2]"]
WRONG = {
    "system": (REQUEST | {"accounting": "system"}, OF_REQUEST),
    "serving": (REQUEST | {"serving": {"chunk_tokens": 0}}, OF_REQUEST),
    "training": (UNTIMED | {"training": {"tokens": 1e9, "sequence_tokens": 64}}, OF_REQUEST),
    "prices": (
        {"name": "x", "compare": [["44nm", "6nm"], ["7nm", "5nm"]]}, ["compare[0][0]", "compare[0][1]", "compare[1][1]"]
    ),
    "designs": ({"name": "x", "designs": ["vitalm", "vitallm", "tellme"]}, ["designs[0]", "designs[2]"]),
    "measured": (
        {"name": "x", "measured": {"low_bit": LOW_BIT}}, [f"measured.low_bit.{key}" for key in OF_LOW_BIT],
    ),
    "quality": (
        {"name": "x", "quality": {"ladder": "gone", "table": "gone", "baseline": "fp16", "post_training": "gone"}},
        ["quality.ladder", "quality.table", "quality.post_training"],
    ),
    "netlists": (
        {"name": "x", "gates": {"arrays": ["gone", "tiny_8x4", "tiny_8x5"], "stimuli": ["unifrom", "uniform", "gauss"],
                                "libraries": ["freepdk46", "freepdk45", "freepdk47"]}},
        ["gates.stimuli[0]", "gates.stimuli[2]", "gates.arrays[0]", "gates.arrays[2]", "gates.libraries[0]",
         "gates.libraries[2]"],
    ),
    "hardware": (
        {"name": "x", "technology": "7nm", "platform": "edgy", "rtl": {"model": "gone", "config": "tiny_8x5"}},
        ["platform", "rtl.config", "rtl.model"],
    ),
    "sizes": (
        {"name": "x", "technology": "7nm", "platform": "ternary-edge",
         "rtl": {"random_weights": 0.3, "matmuls": [{"m": 60000, "k": 1024, "n": 60000}, {"m": 1, "k": 8, "n": 8},
                             {"m": 50000, "k": 1024, "n": 50000}]}},
        ["rtl.matmuls[0]", "rtl.matmuls[2]"],
    ),
    "exploration": (
        document(explore__objectives=["energy_j", "speed", "size"], explore__constraints=["area <= 2", "power_w << 3"]),
        ["explore.objectives[1]", "explore.objectives[2]", "explore.constraints[0]", "explore.constraints[1]"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_every_wrong_name_is_told_where_it_stands(kind):
    experiment, keys = WRONG[kind]
    with pytest.raises(InputError) as error:
        read(experiment)
    assert [problem.key for problem in error.value.problems] == keys


def test_the_problems_of_all_experiments_are_told_and_each_once():
    """Of two of the same name, both right, the second is told; the other two are read nevertheless."""
    right = {key: WRONG["prices"][0][key] for key in ("name",)} | {"compare": [["45nm", "7nm"]]}
    with pytest.raises(InputError) as error:
        read_all([WRONG["prices"][0], right, WRONG["designs"][0], right, WRONG["designs"][0]])
    keys = [problem.key for problem in error.value.problems]
    assert keys == [*WRONG["prices"][1], *WRONG["designs"][1], "file"]
    assert error.value.problems[-1].wrong == "duplicate experiment name 'x'"
