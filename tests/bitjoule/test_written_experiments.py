"""What a run of each kind writes: its tables, its seeds and every key of the experiment, defaults too."""

import importlib
from dataclasses import fields, replace
from functools import cache

import pandas as pd
import pytest
import yaml

from bitjoule.execution import json_schema, read
from bitjoule.experiments.names import doubts
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
    "layers": ("Experiment", REQUEST | {"accounting": "system", "platforms": ["fp16-edge"], "per_layer": True}),
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
    "training": (
        "TrainingExperiment",
        {key: value for key, value in REQUEST.items() if key != "workload"}
        | {"platforms": ["fp16-hbm"], "training": {"tokens": 1e9, "sequence_tokens": 64}},
    ),
    "netlists": ("GatesExperiment", yaml.safe_load(GATES.replace("gates:\n", "gates:\n  effort: {seed: 7}\n"))),
    "hardware": (
        "RtlExperiment",
        {"name": "model", "rtl": {"engine": "numpy", "model": "tiny-b158", "prompt": "0", "seed": 3}},
    ),
    "exploration": (
        "Exploration",
        document(explore__knobs=KNOB, explore__objectives=["energy_j", "latency_s"], explore__seed=5),
    ),
}  # fmt: skip
SEEDS = {"netlists": {"operands": 7}, "hardware": {"seed": 3}, "exploration": {"explore.seed": 5}}
# tables whose attribute has another name, and attributes that are no table of a run: what pictures and pages need
ELSEWHERE = {"published": "comparison", "assumptions": "varied", "knobs": "variations"}
NO_TABLES = {"formats", "settings", "models", "machines", "unmeasured", "bounds"}
DOUBTS = ("is doubtful", "is so in two ways")
SAYS = "What this one is about."
PICTURES = {
    "prices": {"ratios"}, "designs": {"designs"}, "measured": {"gains"}, "quality": {"scaling"}, "serving": set(),
    "training": {"passes"}, "hardware": set(), "netlists": {"energy_vs_zeros", "parts", "energy_vs_bits"},
}  # fmt: skip


@cache
def ran(kind):
    """Return the registered kind, and what a run of it gives; netlists are measured by a closed form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "measure", measured.made_up)
        task = read(EXPERIMENTS[kind][1] | {"description": SAYS})
        return kinds()[task.kind].kind, kinds()[task.kind].kind.run(task.ready, Silent())


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
def test_the_written_experiment_states_the_defaults_of_the_schema(kind):
    name, given = EXPERIMENTS[kind]
    written = ran(kind)[1].experiment
    schema = {"$ref": f"#/$defs/{name}"}
    assert list(unlike_the_schema(schema, json_schema()["$defs"], given | {"description": SAYS}, written)) == []
    assert set(written) > set(given)


def without_value(data, at=()):
    """Yield the places of a mapping that have no value."""
    if data is None:
        yield at
    for key, value in data.items() if isinstance(data, dict) else enumerate(data if isinstance(data, list) else ()):
        yield from without_value(value, (*at, key))


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_the_written_experiment_has_no_key_without_a_value(kind):
    assert list(without_value(ran(kind)[1].experiment)) == []


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_each_table_is_that_of_the_result_and_none_that_has_rows_is_left_out(kind):
    module, outcome = ran(kind)
    result = outcome.result
    for name, pieces in outcome.tables.items():
        own = getattr(result, ELSEWHERE.get(name, name))
        pd.testing.assert_frame_equal(pd.concat(list(pieces), ignore_index=True), own.reset_index(drop=True))
        assert len(own), name
    names = {field.name for field in fields(result) if isinstance(getattr(result, field.name), pd.DataFrame)}
    filled = {name for name in names if len(getattr(result, name))}
    kept = NO_TABLES - ({"models"} if kind == "quality" else set())
    assert filled - kept <= {ELSEWHERE.get(name, name) for name in outcome.tables}
    assert ("operations" in outcome.tables) == (kind == "layers")
    assert outcome.seeds == SEEDS.get(kind, {})
    assert set(module.pictures(outcome)) == PICTURES.get(kind, set(module.pictures(outcome)))


MADE_UP = {
    "energy": ("energy.runner", "run", {"summary", "results", "memory", "bands", "sensitivity", "assumptions", "dram",
                                        "levels", "costs", "components"}),
    "quality": ("quality.run", "tables", {"summary", "models", "laws", "equal_loss", "published"}),
    "serving": ("serving.run", "tables", {"summary", "stages", "steady", "arrays", "costs", "utilisation"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE_UP)
def test_every_table_that_has_rows_is_written_under_its_name(monkeypatch, kind):
    """Tables that this run leaves empty have a row here, which names them."""
    place, function, names = MADE_UP[kind]
    module, outcome = ran(kind)
    of = outcome.result
    runs = importlib.import_module(f"bitjoule.experiments.{place}")
    if kind == "energy":
        keys = [field.name for field in fields(of) if isinstance(getattr(of, field.name), pd.DataFrame)]
    else:
        keys = list(runs.Tables._fields)
    made_up = {key: pd.DataFrame({"name": [key]}) if getattr(of, key).empty else getattr(of, key) for key in keys}
    given = replace(of, **made_up) if kind == "energy" else runs.Tables(**made_up)
    monkeypatch.setattr(runs, function, lambda *_: given)
    written = module.run(read(EXPERIMENTS[kind][1]).ready, Silent()).tables
    assert set(written) == names
    for name, pieces in written.items():
        if name not in ("results", "components"):
            (table,) = pieces
            assert table is made_up[name if name in made_up else ELSEWHERE[name]]


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_a_summary_begins_with_name_and_description_and_a_headline_is_one_line(kind):
    module, outcome = ran(kind)
    name = EXPERIMENTS[kind][1]["name"]
    assert module.summary(outcome, 5).startswith(f"# {name}\n\n{SAYS}")
    assert (outcome.experiment["name"], outcome.experiment["description"]) == (name, SAYS)
    line = module.headline(outcome)
    assert line
    assert "\n" not in line
    assert name not in line.split()


def test_losses_are_drawn_over_what_the_experiment_asks_for_or_over_energies():
    module, outcome = ran("quality")
    for over, name in (("parameters", "scaling"), ("tokens", "zeros"), ("learning_rate", "learning_rates"),
                       ("format", "variants")):  # fmt: skip
        asked = replace(outcome, result=replace(outcome.result, over=over))
        assert set(module.pictures(asked)) == {name}
        energies = replace(
            asked, result=replace(asked.result, summary=outcome.result.summary.assign(energy_per_token_j=1.0))
        )
        assert set(module.pictures(energies)) == {"frontier"}


def test_pictures_without_anything_to_draw_are_left_out():
    for kind, names in (("prices", {"ratios"}), ("measured", {"gains"}), ("serving", set())):
        module, outcome = ran(kind)
        empty = replace(outcome, result=replace(outcome.result, summary=outcome.result.summary.iloc[:0]))
        assert set(module.pictures(outcome)) == names
        assert set(module.pictures(empty)) == set()
    served = outcome.result.summary
    ways = replace(outcome.result, summary=pd.concat([served.assign(way=way) for way in ("plain", "batched")]))
    assert set(module.pictures(replace(outcome, result=ways))) == {"gains"}


@pytest.mark.parametrize(
    ("kind", "machines"),
    [
        ("system", ["fp16-edge"]),
        ("serving", ["fp16-hbm"]),
        ("training", ["fp16-hbm"]),
        ("exploration", ["ternary-edge"]),
    ],
)
def test_what_is_doubtful_in_a_machine_is_a_warning_of_each_kind(monkeypatch, kind, machines):
    class Heard(Silent):
        def __init__(self):
            self.lines = []

        def warn(self, text):
            self.lines.append(text)

    monkeypatch.setattr(doubts, "doubts", lambda name, _: [f"{name}: {what}" for what in DOUBTS])
    task, heard = read(EXPERIMENTS[kind][1]), Heard()
    kinds()[task.kind].kind.run(task.ready, heard)
    told = [line for line in heard.lines if line.endswith(DOUBTS)]
    assert told == [f"{name}: {what}" for name in machines for what in DOUBTS]
