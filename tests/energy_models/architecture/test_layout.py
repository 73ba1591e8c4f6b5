"""Layouts of models: which cases have which, what the widest output is, inputs that overlap."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.architecture.block import Block
from bitjoule.energy_models.architecture.images.convolution import FeatureMap, Window, convolution
from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.shape import ModelShape, presets

ENCODER = {
    "layers": 2, "hidden": 12, "heads": 2, "ffn": 16, "ffn_gated": False, "activation": "gelu", "vocabulary": 30,
    "causal": False, "pooler": True, "head_transform": True,
}  # fmt: skip


@pytest.mark.parametrize("model", [[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0, 1, 0], [1]])
def test_each_case_has_its_model_whether_others_stand_between_or_not(model):
    layout = Layout([presets()["bitnet-125m"], presets()["bitnet-350m"]])
    found = np.full(len(model), -1.0)
    for laid_out, cases in layout.groups(np.array(model)):
        assert (found[cases] == -1).all()
        found[cases] = laid_out.k[0]
    np.testing.assert_array_equal(found, np.array([768, 1024])[model])


def test_the_widest_of_several_outputs_is_what_must_be_stored():
    """Pooler, transform and LM head of an encoder run for outputs; they are not there at the same time."""
    ((laid_out, _),) = Layout([ModelShape.model_validate(ENCODER)]).groups(np.array([0]))
    assert laid_out.on_outputs.sum() == 3
    assert laid_out.logits == 30


@pytest.mark.parametrize("groups", [1, 2])
def test_rows_of_a_convolution_overlap_as_much_in_each_group_of_channels(groups):
    """3 x 3 taps over a map of 6 x 6 with a border: 36 values of each channel for 36 rows of 9."""
    inputs = FeatureMap(4, 6, 6)
    part = convolution(inputs, FeatureMap(4, 6, 6), Window(3, padding=1), groups=groups)
    ((laid_out, _),) = Layout([SimpleNamespace(blocks=(Block((part,)),))]).groups(np.array([0]))
    assert laid_out.distinct == pytest.approx([1 / 9])
