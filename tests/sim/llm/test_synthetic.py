"""Models with random weights: what every model does, whatever its weights."""

import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.sim.llm.engines import CheckEngine, EngineMismatchError, MatmulRecord, MatmulWeights, NumpyEngine
from bitjoule.sim.llm.model import OverflowInModelError, sample
from bitjoule.sim.llm.synthetic import check_random, random_codes, random_model

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
ENGINE = NumpyEngine()


def small(**changes: Any) -> ModelShape:
    """A shape that takes no time."""
    return presets()["bitnet-b1.58-2b-4t"].model_copy(
        update={"layers": 3, "hidden": 64, "heads": 4, "kv_heads": 2, "head_dim": 16, "ffn": 96, "vocabulary": 50}
        | changes
    )


def test_a_synthetic_model_is_the_same_for_the_same_seed_alone() -> None:
    logits = [random_model(small(), seed=seed).forward(TOKENS, ENGINE) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert not np.allclose(logits[0], logits[2])


@pytest.mark.parametrize("zero_share", [0.0, 0.25, 1 / 3, 0.9, 1.0])
def test_a_synthetic_model_has_the_stated_share_of_zeros_and_as_many_of_each_sign(zero_share: float) -> None:
    block = random_model(small(hidden=512, head_dim=128, ffn=1024), zero_share).blocks(1)
    for linear in block.linears.values():
        assert isinstance(linear.weights, MatmulWeights)
        size = linear.weights.codes.size
        assert linear.weights.zero_share == pytest.approx(zero_share, abs=3 / size**0.5)
        assert abs(int(linear.weights.codes.sum(dtype=np.int64))) <= 5 * (size * (1 - zero_share)) ** 0.5


def test_each_norm_is_as_wide_as_what_it_normalises() -> None:
    """Heads may be wider or narrower together than the model."""
    shape = small(heads=4, head_dim=24, post_norm=True, qk_norm=True)
    assert shape.sub_norm
    widths = {place: len(norm.gain) for place, norm in random_model(shape).blocks(0).norms.items()}
    assert widths == {
        "attention": 64, "ffn": 64, "attention_sub": 4 * 24, "ffn_sub": 96, "attention_post": 64, "ffn_post": 64,
        "query": 24, "key": 24,
    }  # fmt: skip
    assert random_model(shape).forward(TOKENS, ENGINE).shape == (len(TOKENS), 50)


def test_a_synthetic_model_holds_one_block_at_a_time() -> None:
    model, alive, most = random_model(small(layers=6), resident=0), [0], [0]

    class Counting:
        def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
            if not weights.packed:
                weights.packed["counted"] = True
                alive[0] += 1
                weakref.finalize(weights, lambda: alive.__setitem__(0, alive[0] - 1))
            most[0] = max(most[0], alive[0])
            return ENGINE.matmul(name, activations, weights)

    model.forward(TOKENS, Counting())
    assert 0 < most[0] <= 7


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_synthetic_model_of_the_style_of_any_dense_preset_runs(name: str) -> None:
    shape = presets()[name]
    narrow = {"layers": 2, "hidden": 32, "heads": 4, "kv_heads": 2, "head_dim": 8, "ffn": 40, "vocabulary": 30}
    shape = shape.model_copy(update=narrow | {"learned_positions": min(shape.learned_positions, 20)})
    kinds = {layer.mixer.kind for layer in (shape, *shape.groups) if layer.mixer}
    if shape.experts > 1 or kinds:
        wrong = "experts" if shape.experts > 1 else f"layers of kind ({'|'.join(kinds)}), expected attention"
        with pytest.raises(ValueError, match=wrong):
            random_model(shape)
        return
    seen: list[MatmulRecord] = []
    logits = random_model(shape).forward(TOKENS, ENGINE, observe=seen.append)
    assert logits.shape == (len(TOKENS), 30)
    assert [(record.name, record.k, record.n) for record in seen[: len(seen) // 2]] == [
        (linear.component, linear.in_features, linear.out_features) for linear in shape.linears
    ]


@pytest.mark.parametrize("kind", ["ternary", "binary"])
def test_a_pass_token_by_token_equals_one_in_whole(kind: Any) -> None:
    model = random_model(small(), 0.0, kind=kind)
    cache = model.new_cache()
    parts = [model.forward([token], ENGINE, cache) for token in TOKENS]
    np.testing.assert_allclose(np.concatenate(parts), model.forward(TOKENS, ENGINE), atol=1e-4)
    last = model.forward(TOKENS, ENGINE, last_only=True)
    assert last.shape == (1, 50)
    np.testing.assert_allclose(last, parts[-1], atol=1e-4)


def test_records_tell_the_shape_and_the_zeros_of_every_matmul() -> None:
    codes: list[Any] = []

    class Keeping:
        def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
            codes.append((name, activations, weights.codes.copy()))
            return ENGINE.matmul(name, activations, weights)

    seen: list[MatmulRecord] = []
    random_model(small()).forward(TOKENS, Keeping(), observe=seen.append)
    assert len(seen) == len(codes) == 3 * 7
    for record, (name, x, w) in zip(seen, codes, strict=True):
        assert name == f"layers.{record.layer}.{record.name}"
        assert (record.m, record.k) == x.shape
        assert (record.k, record.n) == w.shape
        assert record.activation_zero_share == pytest.approx((x == 0).mean())
        assert record.weight_zero_share == pytest.approx((w == 0).mean())


def test_two_engines_that_agree_are_one() -> None:
    model = random_model(small())
    both = model.forward(TOKENS, CheckEngine(ENGINE, NumpyEngine()))
    np.testing.assert_array_equal(both, model.forward(TOKENS, ENGINE))


def test_a_single_wrong_bit_is_found_and_named() -> None:
    class Wrong:
        def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
            product = ENGINE.matmul(name, activations, weights)
            if name == "layers.2.ffn_up":
                product[4, 17] ^= 1
            return product

    with pytest.raises(EngineMismatchError, match=r"layers\.2\.ffn_up: row 4 .*, column 17 .*; 1 of 1056 elements"):
        random_model(small()).forward(TOKENS, CheckEngine(ENGINE, Wrong()))


def test_sampling_depends_on_the_seed_and_the_temperature_alone() -> None:
    model = random_model(small())

    def text(**options: Any) -> list[int]:
        return list(model.generate(TOKENS, 12, ENGINE, **options))

    assert text(temperature=50.0, seed=5) == text(temperature=50.0, seed=5) != text(temperature=50.0, seed=6)
    assert text() == text(seed=9) == text(temperature=1e-9)
    assert text()[0] == int(model.forward(TOKENS, ENGINE)[-1].argmax())


def test_sampled_tokens_follow_the_softmax() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32)) * 2
    rng = np.random.default_rng(0)
    counts = np.bincount([sample(logits, 2.0, rng) for _ in range(4000)]) / 4000
    np.testing.assert_allclose(counts, [0.5, 0.3, 0.2], atol=0.03)


def test_a_stop_token_ends_the_text() -> None:
    model = random_model(small())
    text = list(model.generate(TOKENS, 8, ENGINE))
    assert list(model.generate(TOKENS, 8, ENGINE, stop=text[3:4])) == text[: text.index(text[3])]
    assert list(model.generate(TOKENS, 0, ENGINE)) == []


@pytest.mark.parametrize("tokens", [[], [50], [-1]])
def test_tokens_outside_the_vocabulary_are_refused_before_anything_runs(tokens: list[int]) -> None:
    with pytest.raises(ValueError, match="token"):
        random_model(small()).generate(tokens, 3, ENGINE)


def test_activations_beyond_float32_are_told_with_the_layer() -> None:
    model = random_model(small())
    block = model.blocks(1)
    block.norms["attention"].gain[:] = 1e38
    block.norms["attention"].gain[0] = 3e38
    with pytest.raises(OverflowInModelError, match=r"layers\.1"), np.errstate(over="ignore"):
        block.linears["q_proj"].weights.quantised.scale[:] = 3e38  # type: ignore[union-attr]
        model.forward(TOKENS, ENGINE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zero_share": 1.1}, "zero_share is 1.1"),
        ({"zero_share": float("nan")}, "zero_share is nan"),
        ({"zero_share": 0.5, "kind": "binary"}, "binary weights have no zeros"),
        ({"shape": small(head_dim=7)}, "head_dim is 7"),
    ],
)
def test_a_synthetic_model_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_model(**{"shape": small(), **options})


@pytest.mark.parametrize("options", [{"new_tokens": -1}, {"temperature": -1.0}, {"temperature": float("nan")}])
def test_impossible_sampling_is_refused_before_anything_runs(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        random_model(small()).generate(TOKENS, **{"new_tokens": 3, "engine": ENGINE, **options})


def test_more_tokens_than_learned_positions_are_refused() -> None:
    model = random_model(small(learned_positions=12))
    assert len(list(model.generate(TOKENS, 2, ENGINE))) == 2
    with pytest.raises(ValueError, match="12 positions"):
        model.generate(TOKENS, 3, ENGINE)
    with pytest.raises(ValueError, match="12 positions"):
        model.forward(TOKENS + TOKENS, ENGINE)


def test_an_engine_that_returns_another_shape_is_named() -> None:
    class Short:
        def matmul(self, name: str, activations: Any, weights: MatmulWeights) -> Any:
            return ENGINE.matmul(name, activations, weights)[:, :-1]

    with pytest.raises(EngineMismatchError, match=r"layers\.0\.q_proj: .* shape \(11, 63\)"):
        random_model(small()).forward(TOKENS, CheckEngine(ENGINE, Short()))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"output_gate": True}, "gates on its heads' outputs, expected plain attention"),
        ({"output_gate": "head"}, "gates on its heads' outputs, expected plain attention"),
        ({"value_dim": 8}, "values of another width than keys, expected plain attention"),
        ({"indexer": {"heads": 2, "width": 8, "block": 4, "top": 2}}, "an indexer of keys, expected plain attention"),
        ({"beside": {"heads": 2, "head_dim": 8, "state": 4}}, "a state space beside its attention, expected plain"),
        ({"feed_forward": "linear"}, "layers without a feed-forward network, expected one in every layer"),
    ],
)
def test_layers_that_this_model_does_not_have_are_refused(changes: dict[str, Any], wrong: str) -> None:
    written = {**small().model_dump(), **changes}
    with pytest.raises(ValueError, match=wrong):
        random_model(ModelShape.model_validate(written))
    groups = [{"repeats": 1, **changes}, {"repeats": written["layers"] - 1}]
    with pytest.raises(ValueError, match=wrong):
        random_model(ModelShape.model_validate({**small().model_dump(), "groups": groups}))


def test_each_linear_and_table_has_weights_of_its_own() -> None:
    model = random_model(small(hidden=64, heads=4, kv_heads=4, tied_embedding=False))
    square = ("q_proj", "k_proj", "v_proj", "o_proj")  # of one size
    drawn = [model.blocks(layer).linears[name].weights.codes for layer in range(3) for name in square]  # type: ignore[union-attr]
    assert len({codes.tobytes() for codes in drawn}) == len(drawn)
    assert not np.array_equal(model.embedding.block(0, 50), model.head.block(0, 50))  # type: ignore[union-attr]


def test_the_first_impossible_shape_is_refused_and_the_last_possible_one_is_not() -> None:
    check_random(small(experts=1, head_dim=16), 0.0)
    check_random(small(head_dim=15, learned_positions=8), 1.0)
    with pytest.raises(ValueError, match=r"^the model has 2 experts, expected a dense model$"):
        check_random(small(experts=2), 0.0)
    with pytest.raises(ValueError, match=r"^head_dim is 15, expected an even number, as positions are rotary$"):
        check_random(small(head_dim=15), 0.0)


def test_a_share_of_zeros_is_the_nearest_in_its_steps() -> None:
    """In steps of 2⁻¹⁵: what is nearer to none has none, and what is nearer to one step has some of so many."""
    assert random_codes(256, 4096, 0.49 / 2**15, [1]).all()
    assert not random_codes(256, 4096, 0.51 / 2**15, [1]).all()


@pytest.mark.parametrize("kind", ["ternary", "binary"])
def test_a_synthetic_model_has_the_settings_of_its_shape_and_kind(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(rope_theta=77.0, norm_epsilon=0.03)
    monkeypatch.setattr("bitjoule.sim.llm.synthetic.model_types", lambda: SimpleNamespace(random=settings))
    model = random_model(small(head_dim=16), 0.0, kind=kind)
    assert model.blocks(0).linears["q_proj"].weights.quantised.kind == kind  # type: ignore[union-attr]
    np.testing.assert_allclose(model.frequencies, settings.rope_theta ** -(np.arange(8) / 8), rtol=1e-6)  # type: ignore[arg-type]
    for form in ("rmsnorm", "layernorm"):
        made = random_model(small(norm=form))
        assert {(norm.kind, norm.epsilon) for norm in (made.norm, *made.blocks(0).norms.values())} == {
            (form, settings.norm_epsilon)
        }
