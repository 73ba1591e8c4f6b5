"""Words that the native counter of toggles takes, and those of another form, which it refuses."""

import numpy as np
import pytest

from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.power.delays import OutputDelays, truth
from bitjoule.gates.power.events import EventCounter
from tests.gates import hand_made as hand


@pytest.mark.parametrize(
    "wrong",
    [
        lambda words: words[:-1],
        lambda words: words[:, :1],
        lambda words: words.astype(np.int64),
        lambda words: np.asfortranarray(words),
        lambda words: np.repeat(words, 2, axis=1)[:, ::2],
    ],
)
def test_words_of_another_shape_type_or_layout_are_refused(tmp_path, wrong):
    cell = hand.library(tmp_path).cells["INV"]
    netlist = Netlist("inverter", {"a": [2]}, {"y": [3]}, [Instance("inv", cell, {"A": 2, "Y": 3})])
    choices = 1 - truth(cell, "Y").astype(np.uint16)[None, :]
    delays = OutputDelays(cell, "Y", np.array([0]), choices, np.array([[1], [1]], dtype=np.uint32))
    counter = EventCounter(netlist, [0], [delays])
    before = np.zeros((netlist.nets, 2), dtype=np.uint64)
    before[3] = ~before[3]
    after = before.copy()
    after[2, 0] = 5  # two of 128 trials
    assert counter.count(before, after)[3] == 2
    with pytest.raises(ValueError, match=rf"expected {netlist.nets} x 2 words of 64 bits in one piece"):
        counter.count(before, wrong(before))
