"""The part of a model that each chip has, and what crosses the links."""

import numpy as np
import pytest
from pydantic_core import PydanticCustomError

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.serving.links import Link, all_gather, all_reduce
from bitjoule.energy_models.serving.parallel import expert_traffic, reductions, shard, without_experts
from tests.energy_models.serving.machines import FREE, model

LINK = Link.model_validate(FREE)


def test_the_parts_of_all_chips_have_the_matrices_of_the_model():
    shape = model()
    part = shard(shape, 4)
    # of a layer: q and o 256 x 256, k and v 256 x 128, three of 256 x 512; the head and the embedding 256 x 1000
    linears = 4 * (2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512) + 2 * 256 * 1000
    norms = 4 * 2 * 256 + 256  # on every chip
    assert shape.parameters == linears + norms
    assert part.parameters == linears / 4 + norms
    assert part.head_dim == shape.head_dim


def test_fewer_key_heads_than_chips_are_repeated():
    part = shard(model(kv_heads=2), 4)
    assert (part.heads, part.kv_heads) == (2, 1)


def test_layers_that_differ_are_split_alike():
    shape = model(groups=[{"repeats": 1, "ffn": 1024}, {"repeats": 3, "experts": 4, "active_experts": 2}])
    part = shard(shape, 2)
    assert [group.ffn for group in part.groups] == [512, None]
    assert part.ffn == 256


@pytest.mark.parametrize(
    ("changes", "chips", "wrong"),
    [
        ({"ffn": 510}, 4, r"ffn \(510\) is not a multiple of 4"),
        ({"heads": 8, "kv_heads": 8}, 16, r"heads \(8\) is not a multiple of 16"),
        ({"beside": {"kind": "mamba2", "heads": 4, "head_dim": 16, "state": 8}}, 2, "layers with a state space beside"),
        ({"indexer": {"heads": 2, "width": 8, "block": 4, "top": 2}}, 2, "layers with an indexer on 2 chips"),
        ({"feed_forward": "linear"}, 2, "layers with one matrix in place of a network on 2 chips"),
        ({"mixer": {"kind": "retention", "heads": 4, "key_dim": 64, "value_dim": 64}}, 2, "layers of retention"),
    ],
)
def test_a_model_that_does_not_divide_is_refused(changes, chips, wrong):
    with pytest.raises(PydanticCustomError, match=wrong):
        shard(model(**changes), chips)


def test_sums_are_added_up_behind_attention_and_ffn_and_the_embedding():
    assert reductions(model()) == 2 * 4 + 1
    assert reductions(model(parallel=True)) == 4 + 1
    assert reductions(model(mixer={"kind": "none"}, groups=[{"repeats": 4}])) == 4 + 1


def test_without_its_experts_a_model_keeps_the_rest():
    shape = model(experts=4, active_experts=2)
    bare = without_experts(shape)
    experts = 4 * (4 * 3 * 256 * 512 + 256 * 4 + 256)  # with router and norm
    assert bare.parameters == shape.parameters - experts
    dense = model(groups=[{"repeats": 1}, {"repeats": 3, "experts": 4}])
    assert dense.parameters - without_experts(dense).parameters == 3 * experts / 4


def test_tokens_go_to_their_experts_as_wide_as_these_take_them():
    rows = np.array([6.0])
    # 6 tokens to 2 experts in 4 layers and back, three quarters of them on other chips; 256 values, or 64, of 16 bits
    moved = expert_traffic(model(experts=8, active_experts=2), LINK, 4, rows, 16)
    assert moved.bits[0] == pytest.approx(6 * 2 * 4 * 2 * 0.75 * 256 * 16, rel=1e-12)
    latent = model(groups=[{"repeats": 1}, {"repeats": 3, "experts": 8, "active_experts": 2, "expert_latent": 64}])
    moved = expert_traffic(latent, LINK, 4, rows, 16)
    assert moved.bits[0] == pytest.approx(6 * 2 * 3 * 2 * 0.75 * 64 * 16, rel=1e-12)


@pytest.mark.parametrize("chips", [2, 3, 8])
def test_a_ring_moves_what_its_steps_move(chips):
    """A ring in NumPy: each chip sends a part a round, to add it up and then to give it away."""
    parts = [np.arange(float(chips)) + 10 * chip for chip in range(chips)]
    sent = rounds = 0
    for turn in range(2 * (chips - 1)):
        adding = turn < chips - 1
        index = [(chip - turn + (0 if adding else 1)) % chips for chip in range(chips)]
        messages = [parts[chip][index[chip]] for chip in range(chips)]
        for chip, message in enumerate(messages):
            follower = (chip + 1) % chips
            parts[follower][index[chip]] = parts[follower][index[chip]] + message if adding else message
            sent += 1
        rounds += 1
    assert all(np.array_equal(part, parts[0]) for part in parts)
    slow = LINK.model_copy(update={"latency_us": 1.0, "bandwidth_gb_per_s": 1e-9})  # 8 bits a second
    moved = all_reduce(slow, chips, np.array([8.0 * chips]))  # a part has 8 bits
    assert moved.bits[0] == pytest.approx(8 * sent, rel=1e-12)
    assert moved.seconds[0] == pytest.approx(rounds * (1 + 1e-6), rel=1e-12)
    gathered = all_gather(slow, chips, np.array([8.0 * chips]))
    assert gathered.bits[0] == pytest.approx(moved.bits[0] / 2, rel=1e-12)


def test_a_model_without_its_mixtures_keeps_the_adapters_of_its_attention():
    shape = ModelShape.model_validate({
        "layers": 2, "hidden": 64, "heads": 4, "ffn": 96, "ffn_gated": True, "activation": "silu", "vocabulary": 10,
        "experts": 4, "expert_latent": 16, "hadamard": {"on": ["ffn_down"]},
        "adapters": {"rank": 3, "on": ["q_proj", "ffn_up"]},
    })  # fmt: skip
    tables_and_norms = 2 * 10 * 64 + (2 + 1) * 64  # of the mixture none is left
    attention = 2 * (4 * 64 * 64 + 3 * (64 + 64))
    assert without_experts(shape).parameters == tables_and_norms + attention
