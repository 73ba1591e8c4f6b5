"""Published accelerators: between two nodes in closed form, and how far predictions are from printed numbers."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.sources import sources
from bitjoule.energy_models.machines.designs import between_nodes, design_names, predicted, published_designs
from bitjoule.energy_models.machines.names import measured_schemes
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.system import System

FOUND = {(each.cells["platform"], each.cells["phase"]): each for each in predicted(design_names())}


def test_a_node_between_two_others_is_on_the_line_in_logarithms():
    values = {"45nm": 8.0, "7nm": 2.0}
    assert between_nodes(values, 45.0) == pytest.approx(8.0)
    assert between_nodes(values, 7.0) == pytest.approx(2.0)
    assert between_nodes(values, (45.0 * 7.0) ** 0.5) == pytest.approx(4.0)


def test_rows_cite_their_source_and_name_inputs_that_the_platform_marks():
    for cells in published_designs():
        assert cells["source"] in sources()
        assert any("an input" in text for text in platforms()[cells["platform"]].sources.values()), cells["design"]


@pytest.mark.parametrize("key", FOUND)
def test_tokens_a_second_are_within_30_percent_of_the_printed_ones(key):
    found = FOUND[key]
    assert found.tokens_per_s == pytest.approx(found.printed_tokens_per_s, rel=0.3)


@pytest.mark.parametrize(
    "key",
    [key for key, each in FOUND.items() if each.printed_j_per_token and key[0] != "vitallm"],
)
def test_joules_a_token_are_within_30_percent_of_the_printed_ones(key):
    found = FOUND[key]
    assert found.j_per_token == pytest.approx(found.printed_j_per_token, rel=0.3)


def test_the_core_without_its_control_and_norms_takes_less_than_what_was_published():
    core = FOUND["vitallm", "decode"]
    assert core.at_nodes["7nm"] < core.j_per_token < core.printed_j_per_token < core.at_nodes["45nm"]


@pytest.mark.parametrize(("lanes", "share"), [(8, 0.5), (32, 2.0)])
def test_reads_of_activations_follow_the_lanes_of_the_core(lanes, share):
    """Of 256 trits a cycle, each column more has the activations of a lane less: half the reads with twice of them."""
    cells = FOUND["vitallm", "decode"].cells
    data = platforms()["vitallm"].model_dump(mode="json")
    data["arrays"]["adders"] |= {"lanes": lanes, "columns": 256 // lanes}
    for platform, factor in ((Platform.model_validate(data), share), (platforms()["vitallm"], 1.0)):
        names = [[("vitallm", platform)]]
        system = System(
            [presets()[cells["model"]]], [measured_schemes()[cells["scheme"]]], [technologies()["7nm"]], names
        )
        zero, one = np.zeros(1, dtype=np.intp), np.ones(1)
        counts = system.evaluate(Cases(zero, zero, one, 0 * one, one), zero, zero).counts[0]
        reads = sum(
            count
            for column, count in zip(system.columns, counts, strict=True)
            if (column.component, column.operand, column.action) == ("ffn_up", "activations", "buffer_read")
        )
        # 26 layers of 3200 x 8640; each of 16 columns reads the same 8 bits
        assert reads == pytest.approx(factor * 26 * 3200 * 8640 * 8 / 16, rel=0.01)


def test_a_meter_of_the_core_sees_no_memory():
    """3.2 G trits of 1.6 bits at 8 pJ are 40 mJ, forty times what the core takes."""
    assert FOUND["vitallm", "decode"].j_per_token < 1e-3
