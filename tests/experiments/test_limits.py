"""Sweeps and sizes at the ends of what is allowed: the last is taken, one more is told whole.

The limits themselves are far away; here each is a small number.
"""

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.experiments.energy import schema as energy
from bitjoule.experiments.exploration import schema as exploration
from bitjoule.experiments.exploration.space import knobs
from bitjoule.experiments.output import spreadsheet
from bitjoule.experiments.serving import schema as serving
from bitjoule.experiments.training import schema as training
from tests.experiments.exploration.cases import document as explored

MACHINES = {"models": ["bitnet-125m"], "schemes": ["fp16", "int8"], "technologies": ["7nm"], "platforms": ["fp16-hbm"]}
PAPERS = {"name": "n", "models": ["bitnet-125m"], "schemes": ["fp16", "int8"], "technologies": ["7nm", "45nm"],
          "workload": {"prompt_tokens": [1, 2, 3], "new_tokens": 0, "batch": 1}}  # fmt: skip
SYSTEM = {"name": "n", "accounting": "system", **MACHINES, "workload": {"prompt_tokens": [8, 9], "new_tokens": 1}}
MATMULS = {"name": "n", "accounting": "system", "matmuls": [{"m": 1, "k": 600, "n": 600}], "schemes": ["int8"],
           "technologies": ["7nm"], "platforms": ["fp16-hbm"]}  # fmt: skip
SERVED = {"name": "n", **MACHINES, "workload": {"prompt_tokens": [8, 9], "new_tokens": 3, "batch": [2, 4]},
          "serving": {"chunk_tokens": [0, 4]}}  # fmt: skip
PRICES = {"electricity_usd_per_kwh": [0.1, 0.2]}


def changed(data, path, value):
    """Return a copy in which a dotted key has another value."""
    key, _, rest = path.partition(".")
    if isinstance(data, list):
        return [changed(each, rest, value) if i == int(key) and rest else value if i == int(key) else each
                for i, each in enumerate(data)]  # fmt: skip
    return {**data, key: changed(data.get(key, {}), rest, value) if rest else value}


THREE = changed(PAPERS, "workload.prompt_tokens", {"start": 1, "stop": 3, "step": 1})
PARTS = changed(SERVED, "serving", {"pipeline_parallel": 2, "micro_batches": 2})
LIMITS = [  # schema, module and name of the limit, its value here, what is at it, the key that goes beyond, the message
    (energy.Experiment, energy, "MAX_CASES", 12, PAPERS, ("workload.new_tokens", [0, 1]),
     "workload: the sweep has 24 cases; expected at most 12"),
    (energy.Experiment, energy, "MAX_CASES", 12, THREE,
     ("workload.prompt_tokens", {"start": 1, "stop": 4, "step": 1}),
     "workload: the sweep has 16 cases; expected at most 12"),
    (energy.Experiment, energy, "MAX_CASES", 12, THREE,
     ("workload.prompt_tokens", {"start": 1, "stop": 13, "step": 1}),
     "workload.prompt_tokens: the range has too many values; expected at most 12"),
    (energy.Experiment, energy, "MAX_CASES", 4, SYSTEM, ("costs", PRICES),
     "costs: the sweep has 8 costs; expected at most 4"),
    (energy.Experiment, energy, "MAX_MAPPED", 10, SYSTEM, ("workload.new_tokens", [1, 2]),
     "workload: a context of 11 tokens; expected at most 10 with accounting: system"),
    (energy.Experiment, energy, "MAX_MAPPED", 600, MATMULS, ("matmuls.0.k", 601),
     "matmuls[0].k: got 601; expected at most 600 with accounting: system"),
    (energy.Experiment, energy, "MAX_MAPPED", 600, MATMULS, ("matmuls.0.n", 601),
     "matmuls[0].n: got 601; expected at most 600 with accounting: system"),
    (serving.ServingExperiment, serving, "MAX_CASES", 16, SERVED, ("serving.chunk_tokens", [0, 4, 8]),
     "serving: the sweep has 24 cases; expected at most 16"),
    (serving.ServingExperiment, serving, "MAX_CASES", 16, SERVED, ("costs", PRICES),
     "costs: the sweep has 32 costs; expected at most 16"),
    (serving.ServingExperiment, serving, "MAX_MAPPED", 12, SERVED, ("workload.new_tokens", [3, 4]),
     "workload: a context of 13 tokens; expected at most 12"),
    (serving.ServingExperiment, serving, "MAX_MAPPED", 99, changed(SERVED, "serving.reserved_tokens", 12),
     ("serving.reserved_tokens", 11),
     "serving.reserved_tokens: 11 reserved tokens for a sequence of 12; expected at least 12"),
    (serving.ServingExperiment, serving, "MAX_MAPPED", 99, PARTS,
     ("workload.batch", [2, 5]), "serving.micro_batches: a batch of 5 in 2 equal parts; expected a divisor of 5"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "module", "name", "limit", "data", "change", "told"), LIMITS)
def test_the_last_that_is_allowed_is_taken_and_one_more_is_told(
    monkeypatch, schema, module, name, limit, data, change, told
):
    monkeypatch.setattr(module, name, limit)
    validate(schema, parse_document(write_yaml(data), "f.yaml"))
    with pytest.raises(InputError) as error:
        validate(schema, parse_document(write_yaml(changed(data, *change)), "f.yaml"))
    assert [text.partition(": ")[2] for text in str(error.value).splitlines()] == [told]


def test_a_space_of_as_many_designs_as_are_allowed(monkeypatch):
    """The two knobs of the case have 3 and 2 settings, and 3 with one more."""
    data = explored(explore__knobs={"platform.arrays.adders.columns": [8, 16, 32], "accelerator.instances": [1, 2]})
    beyond = changed(
        data, "explore.knobs", {"platform.arrays.adders.columns": [8, 16, 32, 64], "accelerator.instances": [1, 2]}
    )
    for module, name, told in (
        (knobs, "MAX_DESIGNS", "explore.knobs: 8 designs; expected at most 6"),
        (exploration, "MAX_BUDGET", "explore.knobs: 8 designs; expected at most 6"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, 6)
            validate(exploration.Exploration, parse_document(write_yaml(data), "f.yaml"))
            with pytest.raises(InputError) as error:
                validate(exploration.Exploration, parse_document(write_yaml(beyond), "f.yaml"))
            assert told in str(error.value)


def test_a_sheet_of_a_workbook_holds_a_header_and_as_many_rows_as_are_left(monkeypatch):
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 5)
    spreadsheet.check_rows("summary", 4)
    with pytest.raises(InputError) as error:
        spreadsheet.check_rows("summary", 5)
    assert str(error.value) == (
        "--results:1: xlsx: the table summary has more rows (5) than a sheet of a workbook holds (4); expected parquet "
        "or csv"
    )


TRAINED = {"name": "n", **MACHINES, "training": {"ways": [{"name": "a"}, {"name": "b"}]}}


def test_a_training_of_as_many_cases_as_are_allowed(monkeypatch):
    found = validate(training.TrainingExperiment, parse_document(write_yaml(TRAINED), "f.yaml"))
    monkeypatch.setattr(training, "MAX_CASES", found.cases)
    validate(training.TrainingExperiment, parse_document(write_yaml(TRAINED), "f.yaml"))
    monkeypatch.setattr(training, "MAX_CASES", found.cases - 1)
    with pytest.raises(InputError) as error:
        validate(training.TrainingExperiment, parse_document(write_yaml(TRAINED), "f.yaml"))
    assert str(error.value).endswith(
        f"training: the experiment has {found.cases} cases; expected at most {found.cases - 1}"
    )
