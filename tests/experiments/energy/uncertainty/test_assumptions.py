"""The data file of assumptions, and their application to an experiment."""

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.changes import ImpossibleError, changed, selected
from bitjoule.energy_models.inputs.sources import sources
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.uncertainty.assumptions import (
    Alternative,
    Assumption,
    Where,
    assumptions,
    changed_experiment,
    vary,
)

TEXT = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
workload: {prompt_tokens: 30, new_tokens: 4}
"""


@pytest.mark.parametrize("name", assumptions())
def test_each_end_that_is_given_changes_a_shipped_machine_scheme_or_experiment(resolved, name, tmp_path):
    (tmp_path / "devices.yaml").write_text(
        "like: ternary-edge\noff_chip: {memory: lpddr4-3200, contiguous_bytes: 128}\n"
        "attention: separate\nskips_masked_pairs: false\n"
    )
    other = TEXT.replace(": ternary-edge", ": devices.yaml") + "experts: bound\nobjective: latency\n"
    experiments = [resolved(TEXT), resolved(other)]
    machines = [*platforms().values(), *(machine for _, machine in experiments[1].platforms["edge"].values())]
    assumption = assumptions()[name]
    documents = {
        "platform": [machine for machine in machines if selected(machine, assumption.where.platform)],
        "scheme": [scheme for scheme in schemes().values() if selected(scheme, assumption.where.scheme)],
        "experiment": [experiment.experiment for experiment in experiments],
    }
    for end in (assumption.low, assumption.high):
        for scope, candidates in documents.items():
            for key, change in getattr(end, scope).items():
                assert any(possible(document, key, change) not in (None, document) for document in candidates), key


def possible(document, key, change):
    """Return a document with one change, or none if it cannot have it."""
    try:
        return changed(document, {key: change})
    except ImpossibleError:
        return None


def test_the_rows_of_a_device_are_an_assumption_about_every_device():
    assert assumptions()["DRAM rows"].where.platform["off_chip.memory"] == list(drams())
    assert assumptions()["DRAM runs"].where.platform["off_chip.device"] == list(drams())


def test_each_assumption_has_a_reason_and_a_source():
    for name, assumption in assumptions().items():
        assert len(assumption.reason.split()) >= 5, name
        assert assumption.source == "assumption" or assumption.source in sources(), name


def test_one_machine_of_two_schemes_is_changed_once(resolved):
    text = TEXT.replace("{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}", "ternary-edge")
    experiment = changed_experiment(resolved(text), assumptions()["clock"].low)
    machines = [machine for _, machine in experiment.platforms["ternary-edge"].values()]
    assert machines[0] is machines[1]
    assert machines[0].nodes["7nm"].clock_factor == 0.5


def test_what_changes_nothing_is_the_experiment_itself(resolved):
    experiment = resolved(TEXT)
    assert changed_experiment(experiment, Alternative()) is experiment
    assert changed_experiment(experiment, assumptions()["attention"].low) is experiment
    ternary = Alternative.model_validate({"scheme": {"weights": {"value": "binary"}}})
    assert changed_experiment(experiment, ternary, Where(scheme={"weights": ["int8"]})) is experiment


def test_models_change_and_bare_matmuls_do_not(resolved):
    alternative = Alternative.model_validate({"model": {"vocabulary": {"value": 7}}})
    assert changed_experiment(resolved(TEXT), alternative).models["bitnet-125m"].vocabulary == 7
    bare = resolved("name: x\nmatmuls: [{m: 1, k: 8, n: 8}]\nschemes: [fp16]\ntechnologies: [7nm]\n")
    assert changed_experiment(bare, alternative) is bare


def test_an_end_that_breaks_a_rule_of_the_schema_is_named_with_its_platform(resolved):
    broken = Assumption.model_validate({
        "low": {"platform": {"buffers.*.size_bytes": {"factor": 0.0001}, "buffers.*.banks": {"value": 1}}},
        "high": {"platform": {"vector.lanes": {"factor": 2}}},
        "reason": "none", "source": "assumption",
    })  # fmt: skip
    (varied,) = vary(resolved(TEXT), {"tiny": broken})
    assert varied.problems[0] == "platform fp16-edge: 52 bytes cannot hold a tile of array 'fp16'"
    assert varied.energies[0] is None
    assert varied.problems[1] == ""
    assert varied.energies[1] is not None
    assert varied.texts == ("size_bytes x0.0001, banks 1", "x2")


def test_assumptions_about_nothing_here_are_left_out(resolved):
    names = [varied.name for varied in vary(resolved(TEXT))]
    assert "DRAM rows" not in names  # lpddr4 is a price for a bit, not a device
    assert "clock" in names
