"""experiment.yaml states every key of the experiment, those that were left to their defaults too."""

import pytest
import yaml

from bitjoule.execution import json_schema, read
from bitjoule.experiments.netlists import run as measuring
from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Silent
from tests.bitjoule.test_runs_of_other_kinds import GATES
from tests.experiments import measured_by_hand as measured
from tests.experiments.exploration.cases import document

REQUEST = {
    "name": "request", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"],
    "workload": {"prompt_tokens": 64, "new_tokens": 8},
}  # fmt: skip
KNOB = {"platform.arrays.adders.columns": [8, 16]}
EXPERIMENTS = {
    "energy": ("Experiment", REQUEST),
    "system": ("Experiment", REQUEST | {"accounting": "system", "platforms": ["fp16-edge"]}),
    "serving": ("ServingExperiment", REQUEST | {"platforms": ["fp16-hbm"], "serving": {"chunk_tokens": 0}}),
    "prices": ("PricesExperiment", {"name": "prices", "compare": [["45nm", "7nm"]]}),
    "designs": ("DesignsExperiment", {"name": "designs", "designs": ["vitallm"]}),
    "measured": (
        "MeasuredExperiment",
        {
            "name": "gains",
            "measured": {"low_bit": {"model": "llama-3.2-1b", "machines": ["h100"], "formats": ["fp16", "w4-k"]}},
        },
    ),
    "quality": (
        "QualityExperiment",
        {"name": "losses", "quality": {"ladder": "ablations", "table": "ablations", "baseline": "fp16"}},
    ),
    "netlists": ("GatesExperiment", yaml.safe_load(GATES)),
    "hardware": ("RtlExperiment", {"name": "model", "rtl": {"engine": "numpy", "model": "tiny-b158", "prompt": "0"}}),
    "exploration": ("Exploration", document(explore__knobs=KNOB, explore__objectives=["energy_j", "latency_s"])),
}  # fmt: skip


def unlike_the_schema(schema, definitions, given, written, at=""):
    """Yield the keys with a default that the written mapping lacks, or states otherwise though they were not given."""
    referred = [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]
    for name in [each["$ref"].rsplit("/", 1)[1] for each in referred if "$ref" in each]:
        for key, field in definitions[name].get("properties", {}).items():
            default = field.get("default")
            if isinstance(written.get(key), dict):
                own = given.get(key) if isinstance(given.get(key), dict) else {}
                yield from unlike_the_schema(field, definitions, own, written[key], f"{at}{key}.")
            elif default is not None and (key not in written or (key not in given and written[key] != default)):
                yield f"{at}{key}: {written.get(key, 'missing')}, not {default}"


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_the_written_experiment_states_the_defaults_of_the_schema(kind, monkeypatch):
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    name, given = EXPERIMENTS[kind]
    task = read(given)
    written = kinds()[task.kind].kind.run(task.ready, Silent()).experiment
    schema = {"$ref": f"#/$defs/{name}"}
    assert list(unlike_the_schema(schema, json_schema()["$defs"], given, written)) == []
    assert set(written) > set(given)
