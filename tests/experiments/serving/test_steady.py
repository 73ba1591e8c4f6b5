"""Continuous batching of an experiment: which method gives its percentiles, what is doubtful, and what must fit."""

import re

import numpy as np
import pytest
import yaml

import bitjoule
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.serving.batching import simulation
from bitjoule.energy_models.serving.options import Options
from bitjoule.energy_models.serving.requests import run
from bitjoule.energy_models.serving.steps import Machine, Steps
from bitjoule.experiments.serving.resolve import resolve
from bitjoule.experiments.serving.steady import Place, cached_step_s

EXPERIMENT = {
    "name": "ways", "models": ["bitnet-125m"], "schemes": ["fp16"], "technologies": ["7nm"], "platforms": ["fp16-hbm"],
    "workload": {"prompt_tokens": 64, "new_tokens": 8, "batch": 2},
}  # fmt: skip


def served(way, **changes):
    return bitjoule.run(EXPERIMENT | changes | {"serving": {"ways": [{"name": "busy"} | way]}})


def highest(way):
    """Return the rate of requests that can be served."""
    return served(way | {"requests_per_s": 1.0}).steady["highest_requests_per_s"].iloc[0]


def test_the_method_of_the_percentiles_is_said():
    """A batch that is rarely full, one that often is, and the same with lengths that the chain does not cover."""
    way = {"max_batch": 2}
    for load, lengths, method in ((1e-3, "geometric", "closed form"), (0.9, "geometric", "Markov chain"),
                                  (0.3, "fixed", "simulation")):  # fmt: skip
        found = served(way | {"requests_per_s": load * highest(way), "new_lengths": lengths})
        (row,) = found.steady.to_dict("records")
        assert row["percentiles_by"] == method
        assert np.isnan(row["percentiles_error"]) == (method != "simulation")
        assert not row["percentiles_error"] > 0.02
        assert not found.warnings


def test_percentiles_that_many_requests_leave_uncertain_are_warned_of(monkeypatch):
    monkeypatch.setattr(simulation, "FEWEST", 1000)
    monkeypatch.setattr(simulation, "MOST", 1000)
    simulation._simulated.cache_clear()
    way = {"max_batch": 2}
    way |= {"requests_per_s": 0.95 * highest(way), "new_lengths": "fixed"}
    (line,) = served(way).warnings
    said = r"bitnet-125m in fp16, busy: percentiles of 1000 simulated requests have a standard error of up to [\d.]+%"
    assert re.fullmatch(said, line)
    simulation._simulated.cache_clear()


def test_a_queue_that_is_longer_than_the_chain_has_it_is_warned_of():
    way = {"max_batch": 2}
    (line,) = served(way | {"requests_per_s": 0.998 * highest(way)}).warnings
    assert line.startswith("bitnet-125m in fp16, busy: the queue is longer than the model has it in ")
    assert line.endswith("% of the steps; times to the first token are estimates")


def test_caches_of_very_different_length_are_simulated():
    way = {"requests_per_s": 1e-3, "max_batch": 4, "prompt_lengths": {"uniform": 0.9}}
    workload = {"prompt_tokens": 4096, "new_tokens": 8}
    for lengths, method in ((way["prompt_lengths"], "simulation"), ("fixed", "closed form")):
        found = served(way | {"prompt_lengths": lengths}, workload=workload)
        assert set(found.steady["percentiles_by"]) == {method}
        assert not found.warnings


def small_memory(capacity_bytes):
    """Return a platform with a memory of so many bytes."""
    memory = {"memory": "hbm2", "bandwidth_gb_per_s": 1024, "capacity_bytes": capacity_bytes}
    return {"name": "small", "like": "fp16-hbm", "off_chip": memory, "sources": {"off_chip": "made up"}}


def test_a_full_batch_must_fit_beside_the_weights():
    # keys and values of a token: 12 layers of 2 x 768 values of two bytes; 64 prompt and 8 new tokens, or 4 and 12
    token_bytes = 12 * 2 * 768 * 2
    way = {"requests_per_s": 1e-3, "max_batch": 8, "new_lengths": "fixed"}
    weights = served(way).summary["chip_bytes"].iloc[0] - 2 * 72 * token_bytes
    cases = (
        ({}, 72), ({"new_lengths": {"tokens": [4, 12]}}, 64 + (16 + 144) / 16),  # E[N^2] / E[N] of contiguous caches
        ({"new_lengths": {"tokens": [4, 12]}, "block_tokens": 1}, 64 + np.ceil((4 * 5 + 12 * 13) / 2 / 16)),
        ({"reserved_tokens": 100}, 100), ({"cache_offload_share": 0.5}, 36),
    )  # fmt: skip
    for keys, tokens in cases:
        for fits in (8, 5, 0):
            room = int(weights + (fits + 0.5) * tokens * token_bytes)
            found = served(way | keys, platforms=[small_memory(room)])
            assert found.steady["full_batch_chip_bytes"].iloc[0] == pytest.approx(weights + 8 * tokens * token_bytes)
            lines = [line for line in found.warnings if "full batch" in line]
            assert len(lines) == (fits < 8)
            if fits < 8:
                start = "bitnet-125m in fp16, busy: a full batch of 8 sequences needs "
                assert lines[0].startswith(start)
                end = f"a max_batch of {fits} fits" if fits else "not one sequence fits"
                assert lines[0].endswith(f"its off-chip memory holds {room / 1e9:.3g} GB: {end}")


def test_a_token_more_in_one_cache_takes_what_a_step_with_it_takes():
    """All caches together are as long with one that is twice as long as with 1/b of a cache more for each of b."""
    resolved = resolve(parse_document(yaml.safe_dump(EXPERIMENT | {"serving": {}}), "f.yaml"))
    way = Options.model_validate({"name": "busy", "requests_per_s": 1.0, "max_batch": 4})
    machine = Machine(
        "fp16-hbm", resolved.platforms["fp16-hbm"]["fp16"][1], resolved.schemes["fp16"], resolved.technologies["7nm"],
        resolved.experiment.objective, resolved.experiment.experts,
    )  # fmt: skip
    at, before = Place("case", resolved.models["bitnet-125m"], machine, 0.0), 2000.0

    def step_s(batch, tokens):
        return run(at.model, machine, Steps.of((1, tokens, batch, 1, 1)), way, "decode", pipelined=True).seconds

    ours = cached_step_s(way, at, before, np.array([step_s(batch, before) for batch in range(1, 5)]))
    for batch in range(1, 5):
        longer_s = step_s(batch, before * (1 + 1 / batch)) - step_s(batch, before)
        assert ours[batch - 1] == pytest.approx(longer_s / before, rel=0.3)  # steps of tiles: not quite a line
