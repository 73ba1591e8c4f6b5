"""Which weights share a scale, and which linears stay in floating point."""

import pytest

from bitjoule.sim.llm.checkpoints.quantisation_config import QuantisationScheme


@pytest.mark.parametrize(
    ("stated", "of_row"),
    [
        ({}, {64: None}),
        ({"group_size": 16}, {64: 16, 32: 16, 17: None, 16: None, 8: None, 24: None}),
        ({"shards": 4}, {64: 16, 8: 2, 6: None, 4: 1, 3: None}),
        ({"shards": 1}, {64: None}),
        ({"group_size": 16, "shards": 2}, {64: 16}),
    ],
)
def test_a_group_is_a_part_of_a_row_that_divides_it(stated: dict[str, int], of_row: dict[int, int | None]) -> None:
    scheme = QuantisationScheme(**stated)  # type: ignore[arg-type]
    assert {length: scheme.group(length) for length in of_row} == of_row


@pytest.mark.parametrize(
    ("pattern", "skipped", "kept"),
    [
        ("lm_head", ["lm_head"], ["model.layers.0.mlp.up_proj", "lm_heads"]),
        ("model.layers.1", ["model.layers.1.mlp.up_proj", "model.layers.1"], ["model.layers.10.mlp.up_proj"]),
        ("up_proj", ["model.layers.0.mlp.up_proj"], ["model.layers.0.mlp.up_proj.norm", "up_projection"]),
        ("proj", ["model.layers.0.mlp.up_proj", "proj"], ["model.layers.0.projection"]),  # as transformers has it
        (r"model\.layers\.\d\.self_attn", ["model.layers.7.self_attn.q_proj"], ["model.layers.17.self_attn.q_proj"]),
        ("none", [], ["lm_head", "model.layers.0.mlp.up_proj"]),
    ],
)
def test_a_pattern_is_the_beginning_of_a_name_in_whole_parts_or_its_end(
    pattern: str, skipped: list[str], kept: list[str]
) -> None:
    scheme = QuantisationScheme(skipped=("never", pattern))
    assert [scheme.skips(name) for name in (*skipped, *kept)] == [True] * len(skipped) + [False] * len(kept)
