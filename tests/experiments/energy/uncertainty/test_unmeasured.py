"""Kinds of MAC that measured technologies price by operators: named, and none where all were measured."""

import pytest

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.uncertainty.unmeasured import unmeasured
from tests.experiments.technology_files import write_technology

TEXT = """\
name: mine
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [45nm, made.yaml]
"""
SYSTEM = """\
accounting: system
platforms: [{name: own, by_scheme: {SCHEME: ternary-edge, fp16: fp16-edge}}]
"""


@pytest.fixture
def found(tmp_path, resolved):
    """Return a function that gives what an experiment does not find measured."""

    def kinds(*overrides, more="", priced_as_macs=True):
        path = write_technology(tmp_path / "made.yaml")
        path.write_text(path.read_text() + f"priced_as_macs: {str(priced_as_macs).lower()}\n")
        return unmeasured(grid_of(resolved(TEXT + more, *overrides)))

    return kinds


def test_nothing_is_told_where_every_mac_was_measured(found):
    assert found() == {}
    assert found("schemes=[fp16, int8, bitnet, bitnet-b1.58-int8-attention]") == {}


def test_macs_that_were_not_measured_are_told_for_linears_and_attention(found):
    assert found("schemes=[fp16, fp32, bitnet-b1.58-a1]") == {"made": ["fp32 x fp32", "ternary x int1"]}


def test_only_a_technology_that_prices_by_arrays_misses_some_in_the_papers_accounting(found):
    assert found("schemes=[fp32]", priced_as_macs=False) == {}
    assert found("schemes=[fp32]", "technologies=[45nm]") == {}


ATTENDS = "{name: attends, weights: ternary, activations: int8, attention: fp32, rescale: fp16}"  # linears are measured


def test_attention_is_told_beside_measured_linears(found):
    assert found(f"schemes=[fp16, {ATTENDS}]") == {"made": ["fp32 x fp32"]}


def test_a_bare_matmul_has_no_attention(found):
    bare = ("models=null", "matmuls=[{m: 1, k: 8, n: 8}]", "workload=null")
    assert found(f"schemes=[{ATTENDS}]", *bare) == {}


@pytest.mark.parametrize(("scheme", "told"), [("bitnet-b1.58", {}), ("bitnet-b1.58-a1", {"made": ["ternary x int1"]})])
@pytest.mark.parametrize("priced_as_macs", [True, False])
def test_whole_requests_tell_what_their_machines_compute_by_operators(found, scheme, told, priced_as_macs):
    more = SYSTEM.replace("SCHEME", scheme)
    assert found(f"schemes=[fp16, {scheme}]", more=more, priced_as_macs=priced_as_macs) == told
