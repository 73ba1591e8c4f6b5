"""Models whose layers a search chose one by one (Nemotron-NAS): worked out by hand."""

import json

import pytest

from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.inputs.errors import InputError
from tests.energy_models.architecture.test_blocks import added, counted

HIDDEN, HEADS, VOCABULARY, BATCH, NEW = 192, 6, 100, 3, 6
HEAD_DIM = HIDDEN // HEADS
NO_OP, LINEAR = {"no_op": True}, {"replace_with_linear": True}
BLOCKS = [
    # 2 x 2.5 x 192 / 3 is 320, which 256 does not divide: 512
    {"attention": {"n_heads_in_group": 3, "no_op": False, "window_length": None}, "ffn": {"ffn_mult": 2.5}},
    {"attention": NO_OP, "ffn": {"ffn_mult": 1.3, "no_op": False, "sparsify": None}},  # int(166.4), 256
    {"attention": LINEAR, "ffn": LINEAR},
    {"attention": {"n_heads_in_group": 6}, "ffn": NO_OP},
    {"attention": NO_OP, "ffn": NO_OP},
]
CONFIG = {
    "model_type": "nemotron-nas", "architectures": ["DeciLMForCausalLM"], "hidden_size": HIDDEN,
    "num_attention_heads": HEADS, "num_key_value_heads": None, "intermediate_size": None, "vocab_size": VOCABULARY,
    "num_hidden_layers": len(BLOCKS), "block_configs": BLOCKS,
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def read(**changes):
        (tmp_path / "config.json").write_text(json.dumps({**CONFIG, **changes}))
        return read_config(tmp_path)

    return read


def attention(kv_heads):
    return 2 * HIDDEN * HIDDEN + 2 * HIDDEN * kv_heads * HEAD_DIM


def test_each_layer_is_what_its_block_says(read):
    found = read()
    layers = [attention(2), 3 * HIDDEN * 512, 3 * HIDDEN * 256, HIDDEN**2, HIDDEN**2, attention(1)]
    norms = len(layers) * HIDDEN  # before each that is there
    assert found.parameters == sum(layers) + norms + 2 * VOCABULARY * HIDDEN + HIDDEN
    assert [group.repeats for group in found.groups] == [1] * 5
    assert "not known" not in found.note
    counts, ran = counted(found)
    tokens = BATCH * NEW
    expected = {
        "q_proj": 2 * HIDDEN**2, "k_proj": HIDDEN * 3 * HEAD_DIM, "o_proj": 2 * HIDDEN**2 + HIDDEN**2,
        "ffn_gate": HIDDEN * (512 + 256), "ffn_down": HIDDEN * (512 + 256) + HIDDEN**2,
    }  # fmt: skip
    for component, macs in expected.items():
        assert added(counts, "decode", (component,), "mul") == tokens * macs
    prompt, fp16_bytes = 40, 2
    assert float(ran.memory_bytes.kv_cache_bytes[0]) == BATCH * (prompt + NEW) * 2 * 3 * HEAD_DIM * fp16_bytes


@pytest.mark.parametrize(
    ("factor", "width"), [(1, 256), (2, 256), (2.01, 512), (4, 512), (5.25, 768), (8, 1024), (8.1, 1280)]
)
def test_a_network_is_two_thirds_of_its_factor_wide_rounded_up(read, factor, width):
    """2/3 of 192 times the factor: 128, 256, 257 (rounded down), 512, 672, 1024, 1036; 256 divides the width."""
    block = {"attention": NO_OP, "ffn": {"ffn_mult": factor}}
    found = read(block_configs=[block] * len(BLOCKS))
    assert {found.ffn, *(group.ffn for group in found.groups)} == {width}


def test_biases_are_those_of_what_is_there(read):
    kv = 3 * HEAD_DIM
    biases = 3 * HIDDEN + 2 * HIDDEN + 2 * kv  # outputs of o_proj, also of the matrix in its place; q; k and v
    assert read(attention_bias=True).parameters == read().parameters + biases
    assert read(mlp_bias=True).parameters == read().parameters + 2 * (512 + 256) + 2 * HIDDEN + HIDDEN


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (
            {"block_configs": BLOCKS[:3]},
            "block_configs: lists 3 layers; expected attention and ffn of each of 5",
        ),
        ({"block_configs": None}, "block_configs: got null; expected attention and ffn of each of 5 layers"),
        ({"block_configs": [3, *BLOCKS[1:]]}, "block_configs[0]: got 3; expected a mapping with the keys attention"),
        (
            {"block_configs": [{"attention": NO_OP, "ffn": {"ffn_mult": 1, "moe": {}}}, *BLOCKS[1:]]},
            "block_configs[0].ffn: got {'ffn_mult': 1, 'moe': {}}; expected a mapping with the keys no_op, replace_w",
        ),
        (
            {"block_configs": [{"attention": {"n_heads_in_group": 4}, "ffn": NO_OP}, *BLOCKS[1:]]},
            "block_configs[0].attention.n_heads_in_group: got 4; expected a divisor of num_attention_heads, no_op or",
        ),
        (
            {"block_configs": [{"attention": {"n_heads_in_group": 3, "window_length": 8}, "ffn": NO_OP}, *BLOCKS[1:]]},
            "block_configs[0].attention.window_length: 8 is not supported; expected null",
        ),
        (
            {"block_configs": [{"attention": NO_OP, "ffn": {"ffn_mult": None}}, *BLOCKS[1:]]},
            "block_configs[0].ffn.ffn_mult: got null; expected a number, no_op or replace_with_linear",
        ),
        (
            {"block_configs": [{**BLOCKS[0], "parallel_blocks": [{}]}, *BLOCKS[1:]]},
            "block_configs[0].parallel_blocks: is not supported; expected one attention and one network",
        ),
        ({"hidden_size": "wide"}, "hidden_size: got 'wide'; expected a valid integer"),
        (
            {"num_attention_heads": None},
            "block_configs[0].attention.n_heads_in_group: got 3; expected a divisor",
        ),
        ({"num_key_value_heads": 2}, "num_key_value_heads: is not known to be a key of model_type 'nemotron-nas'"),
    ],
)
def test_a_block_that_is_not_known_is_refused(read, changes, wrong):
    with pytest.raises(InputError) as error:
        read(**changes)
    assert wrong in str(error.value)
