"""What the bench tries: each size on both sides of the array's."""

import json
from itertools import islice, product

import numpy as np
import pytest

from bitjoule.rtl.config import GROUP, AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import STREAMS, Case, directed_cases, is_malformed, operands, random_cases


@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "int8_8x4"])
def test_each_combination_of_sizes_around_the_array_is_a_case_of_its_own(name):
    config = read_configuration(name)
    shapes = {shape for case in directed_cases(config) if len(case.shapes) == 1 for shape in case.shapes}
    around = [{1, size - 1, size, size + 1} - {0} for size in (config.tokens, config.lanes, config.columns)]
    assert set(product(*around)) <= {tuple(shape) for shape in shapes}


@pytest.mark.parametrize("name", ["fp16_fused_8x4", "fp16_8x4", "fp16_fp16_8x4", "ternary_fp16_8x4"])
def test_tiles_that_cancel_do_so_exactly_from_negative_sums_too(name):
    config = read_configuration(name)
    (case,) = (case for case in directed_cases(config) if case.name == "tiles that cancel")
    firsts = []
    for index in range(len(case.shapes)):
        x, w = (each.astype(np.float64) for each in operands(config, case, index))
        assert not (x @ w).any()
        firsts.append(x[:, : config.lanes] @ w[: config.lanes])
    assert np.min(firsts) < 0 < np.max(firsts)
    assert np.max(np.abs(firsts)) < np.finfo(np.float16).max


@pytest.mark.parametrize("name", ["tiny_8x4", "int8_8x4", "fp16_8x4", "ternary_fp16_8x4"])
def test_operands_that_are_given_are_taken_as_they_stand(name, tmp_path):
    """Integers, and floats with bits behind the point, which are those of weights with scales, too."""
    config, random = read_configuration(name), np.random.default_rng(8)
    x, w = random.integers(-100, 100, (2, 9)).astype(np.int8), random.integers(-1, 2, (9, 5)).astype(np.int8)
    if config.floating_point:
        x, w = (x / 7).astype(np.float16), (w * 0.3).astype(np.float16)
    np.savez(tmp_path / "given.npz", x=x, w=w)
    case = Case("given", (MatmulShape(2, 9, 5),), given=str(tmp_path / "given.npz"))
    for found, expected in zip(operands(config, case, 0), (x, w), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["tiny_8x4", "int8_8x4", "fp16_8x4", "ternary_fp16_8x4"])
def test_matmuls_of_one_size_have_operands_of_their_own(name):
    """Otherwise an array that answers with the result before would pass."""
    case = Case("again", (MatmulShape(4, 16, 8),) * 2, seed=3)
    first, second, again = (operands(read_configuration(name), case, index) for index in (0, 1, 0))
    for one, other, same in zip(first, second, again, strict=True):
        assert (one != other).mean() > 0.3
        np.testing.assert_array_equal(one, same)


LARGEST = float(np.finfo(np.float16).max)
CHECKERED = np.indices((5, 6)).sum(axis=0) % 2 == 1


@pytest.mark.parametrize(
    ("config", "of_x", "of_w"),
    [
        (AcceleratorConfig(8, 4, 64, 32, activation_bits=5), (-16, 15, 0), (1, -1, 0)),
        (AcceleratorConfig(8, 4, 64, 32, weight_encoding="binary1"), (-128, 127, 0), (1, -1, 1)),
        (read_configuration("int8_8x4"), (-128, 127, 0), (127, -128, 0)),
        (read_configuration("fp16_8x4"), (-LARGEST, LARGEST, 0), (LARGEST, -LARGEST, 0)),
    ],
)
def test_extreme_operands_are_the_ends_of_what_a_configuration_takes(config, of_x, of_w):
    low, high, zero = of_x
    plus, minus, none = of_w
    xs = {"minimum": low, "maximum": high, "zero": zero, "alternating": np.where(CHECKERED, *of_x[:2])}
    ws = {"plus": plus, "minus": minus, "zero": none, "alternating": np.where(CHECKERED, *of_w[:2])}
    if config.floating_point:
        xs["alternating"] = ws["alternating"] = np.where(CHECKERED, -LARGEST, LARGEST)
    for x, w in product(xs, ws):
        case = Case("", (MatmulShape(1, 1, 1), MatmulShape(5, 6, 6)), activations=x, weights=w)
        found = operands(config, case, 1)
        np.testing.assert_array_equal(found[0], np.broadcast_to(xs[x], (5, 6)))
        np.testing.assert_array_equal(found[1][:5], np.broadcast_to(ws[w], (5, 6)))
    drawn = [operands(config, Case("", (MatmulShape(40, 64, 50),), seed=i), 0) for i in range(2)]
    for values, ends in zip(drawn[0], ((low, high), (minus, plus)), strict=True):
        if not config.floating_point:
            assert set(np.unique(values)) == set(range(ends[0], ends[1] + 1)) - (
                {0} if none and ends[1] == 1 else set()
            )
    assert not any(np.array_equal(*pair) for pair in zip(*drawn, strict=True))


@pytest.mark.parametrize(("kind", "marks"), [("infinite", np.isinf), ("nan", np.isnan)])
def test_scales_that_are_special_are_so_in_a_whole_tile_or_group(kind, marks):
    config = read_configuration("ternary_fp16_8x4")
    case = Case("", (MatmulShape(1, 2 * GROUP, 40),) * 8, seed=1, activations="random", weights=kind)
    heights = set()
    for index in range(8):
        _, w = operands(config, case, index)
        magnitudes = np.where(w == 0, -1.0, np.abs(w.astype(np.float64)))
        for height in (config.lanes, GROUP):
            tiles = magnitudes.reshape(-1, height, 40)
            alike = all(
                len(set(tile[tile != -1].astype(str))) <= 1 for tile in tiles.transpose(0, 2, 1).reshape(-1, height)
            )
            heights |= {height} if alike else set()
            if alike:
                break
        share = marks(w[w != 0]).mean()
        assert 0.02 < share < 0.25
        assert not (np.isnan(w) if kind == "infinite" else np.isinf(w)).mean() > 0.05
    assert config.lanes in heights


@pytest.mark.parametrize("name", ["tiny_8x4", "int8_8x4", "decode_64x5"])
def test_sequences_and_resets_are_these(name):
    config = read_configuration(name)
    lanes, columns, tokens, k = config.lanes, config.columns, config.tokens, config.max_k
    cases = {case.name: case for case in directed_cases(config)}
    assert len(cases) == len(directed_cases(config))
    small, tall = (1, 1, 1), (tokens + 1, min(k, lanes + 1), columns)
    wide, results = (1, min(k, 2 * lanes), 3 * columns), (2 * tokens, 1, 3 * columns)
    good = [small, tall, small, small, wide, results, wide, tall]
    huge = (65535, 2**24 - 1, 2**24 - 1)
    wrong = [(0, k, 1), (1, 0, 1), huge, (1, k + 1, 1), (1, k, 0), (0, 2**24 - 1, 0)]
    mixed = [shape for pair in zip(wrong, good[:6], strict=True) for shape in pair]
    sequences = {
        "back-to-back matmuls": good, "back-to-back decode layers": [wide] * 5, "malformed commands": wrong,
        "malformed commands among valid ones": mixed, "malformed commands among valid ones, stalled": mixed,
        "everything stalls": good,
    }  # fmt: skip
    for title, shapes in sequences.items():
        assert [tuple(shape) for shape in cases[title].shapes] == shapes, title
        assert set(cases[title].stalls) == (set(STREAMS) if "stall" in title else set())
    assert all(is_malformed(config, MatmulShape(*shape)) for shape in wrong)
    assert not any(is_malformed(config, MatmulShape(*shape)) for shape in good)
    alone = [case for case in cases.values() if len(case.stalls) == 1 and case.reset_after is None]
    patterns = ("01", "1110", "0001", "1" * 20 + "0")
    assert [dict(case.stalls) for case in alone] == [{s: pattern} for s, pattern in product(STREAMS, patterns)]
    assert {case.shapes for case in alone} == {tuple(MatmulShape(*shape) for shape in (tall, wide, small))}
    resets = [case for case in cases.values() if case.reset_after is not None]
    after = list(dict.fromkeys([1, 2, 3, 4, 5, 7, tokens + 2 * config.tile_beats]))  # the last may be one of them
    assert [case.reset_after for case in resets] == after
    assert [dict(case.stalls) for case in resets] == [{"results": "1"} if at % 2 else {} for at in after]
    cut = (tokens + 1, min(k, 2 * lanes), 2 * columns)
    order = list(cases)
    for case in resets:
        following = cases[order[order.index(case.name) + 1]]
        assert following.name == f"after the {case.name}"
        assert ([*map(tuple, case.shapes)], [*map(tuple, following.shapes)]) == ([cut, cut], [cut])
    bounds = [case for case in cases.values() if case.name.startswith("accumulators at their bound")]
    assert [(case.activations, case.weights, tuple(case.shapes[0])) for case in bounds] == [
        ("minimum", "plus", (1, k, 1)), ("minimum", "minus", (1, k, 1)),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "fp16_8x4"])
def test_random_cases_are_those_of_the_seed_and_within_what_the_array_takes(name):
    config = read_configuration(name)
    cases = random_cases(config, 400, 7, steps=300)
    assert cases == random_cases(config, 400, 7, steps=300) != random_cases(config, 400, 8, steps=300)
    assert [case.name for case in cases] == [f"random {i}" for i in range(len(cases))]
    shapes = np.array([tuple(shape) for case in cases for shape in case.shapes])
    assert len(shapes) == 400
    m, k, n = shapes.T
    assert {len(case.shapes) for case in cases} == {1, 2, 3, 4} or {len(case.shapes) for case in cases} == {1, 2, 4}
    for sizes, largest in ((m, 3 * config.tokens), (k, min(config.max_k, 6 * config.lanes)), (n, 6 * config.columns)):
        assert sizes.min() == 1
        assert largest / 2 < sizes.max() <= largest
    blocks, beats = -(-m // config.tokens), np.maximum(config.tile_beats, np.minimum(m, config.tokens))
    steps = blocks * beats * -(-k // config.lanes) * -(-n // config.columns)
    # A single tile of N may take more steps, as that of the first steps of K and M does.
    assert (steps[(n > config.columns)] <= 300).all()
    shares = {kind: np.mean([_stalling(case) == kind for case in cases]) for kind in ("none", "known", "random")}
    assert shares == {
        kind: pytest.approx(share, abs=0.1) for kind, share in (("none", 0.4), ("known", 0.2), ("random", 0.4))
    }
    assert len({case.seed for case in cases}) == len(cases)


def _stalling(case):
    kinds = {type(stall) for stall in case.stalls.values()}
    return "none" if not kinds else "known" if kinds == {str} else "random"


def test_a_case_is_told_to_the_bench_whole():
    case = Case(
        "a", (MatmulShape(1, 2, 3), MatmulShape(4, 5, 6)), 9, "minimum", "plus", {"weights": "01", "results": 0.5}, 7
    )
    assert Case.from_mapping(json.loads(json.dumps(case.as_mapping()))) == case
    assert not case.steady
    assert Case("b", (), stalls={"command": "01"}).steady


def test_streams_stall_by_their_pattern_or_as_often_as_they_say():
    case = Case("a", (), 3, stalls={"weights": "011", "activations": 0.25, "results": 0.75})
    assert list(islice(case.pauses("weights"), 7)) == [False, True, True, False, True, True, False]
    assert [case.stalls_at("weights")(at) for at in range(7)] == list(islice(case.pauses("weights"), 7))
    assert not any(islice(case.pauses("command"), 50))
    assert not any(case.stalls_at("command")(at) for at in range(50))
    drawn = {name: list(islice(case.pauses(name), 4000)) for name in ("activations", "results")}
    assert np.mean(drawn["activations"]) == pytest.approx(0.25, abs=0.03)
    assert np.mean(drawn["results"]) == pytest.approx(0.75, abs=0.03)
    assert list(islice(case.pauses("results"), 4000)) == drawn["results"]
    assert drawn["results"][:256] != drawn["results"][256:512]
