"""Operands by name: what they are distributed as, and that a netlist computes with them."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import WORD_BITS, Simulator
from bitjoule.gates.stimuli.operands import Gaussian, StimulusError, Uniform, Worst
from bitjoule.gates.stimuli.recorded import Recorded, Recorder, recorded_operands
from bitjoule.gates.stimuli.stimulus import NetlistError, Stimulus, check, constant, from_words, to_words
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import activation_beat, weight_beats
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.llm.engines import MatmulWeights
from bitjoule.sim.llm.linears import GroupedWeights, LinearLayer, Run
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.reference.matmul import integer_matmul
from bitjoule.sim.reference.quantisation import QuantisedWeights
from tests.sampling import one_of_each, seldom

TINY = AcceleratorConfig(lanes=8, columns=4, max_k=64, weight_bus_bits=32, tokens=4)
WIDE = AcceleratorConfig(64, 5, 1024, 512, weight_encoding="ternary5")
INT8 = AcceleratorConfig(8, 2, 64, 128, weight_encoding="int8")
FP16 = AcceleratorConfig(8, 1, 64, 128, weight_encoding="fp16", accumulation="fp16", datapath="rounding_tree")
SCALED = AcceleratorConfig(8, 1, 64, 32, activation_bits=16)
BINARY = AcceleratorConfig(8, 4, 64, 32, weight_encoding="binary1")
TEXTS = ["gaussian:32,zeros:0.45", "gaussian:8", "uniform", "uniform,zeros:0.9", "worst", "model:tiny-b158"]


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("gaussian:32", Gaussian(32.0)),
        ("gaussian:32,zeros:0.45", Gaussian(32.0, 0.45)),
        (" uniform , zeros:1", Uniform(1.0)),
        ("uniform,zeros:0", Uniform(0.0)),
        ("worst", Worst()),
    ],
)
def test_a_text_names_operands(text: str, operands: object) -> None:
    assert parse_operands(text) == operands


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown operands ''; expected gaussian:SIGMA, uniform, worst or model:NAME|PATH"),
        ("gauss:3", "unknown operands 'gauss:3'; expected gaussian:SIGMA"),
        ("gaussian", "unknown operands 'gaussian'; expected gaussian:SIGMA"),
        ("gaussian:wide", "SIGMA is 'wide'; expected a number"),
        ("gaussian:0", "SIGMA is 0; expected a finite number above 0"),
        ("gaussian:nan", "SIGMA is nan; expected a finite number above 0"),
        ("uniform,zeros:1.5", "SHARE is 1.5; expected a number from 0 to 1"),
        ("uniform,zeros:half", "SHARE is 'half'; expected a number"),
        ("uniform,ones:0.5", "invalid option 'ones:0.5'"),
        ("uniform,zeros:0.5,zeros:0.4", "invalid option 'zeros:0.4'"),
        ("worst,zeros:0.5", "invalid option 'zeros:0.5'"),
        ("model:tiny-b158,zeros:0.5", "invalid option 'zeros:0.5'"),
        ("model:gpt", "unknown model; expected one of tiny-b158, tiny-bitnet"),
        ("model:tiny-fp16", "its weights are floats; expected trits"),
    ],
)
def test_a_text_that_names_none_is_told_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(StimulusError) as error:
        parse_operands(text)
    assert message in str(error.value)


def test_a_share_of_the_weights_is_zero_and_the_signs_share_the_rest() -> None:
    for share in (0.0, 0.45, 0.9, 1.0):
        source = Gaussian(32.0, share).source(WIDE, 640, 1, np.random.default_rng(1))
        weights = source.weights()
        error = 4 * math.sqrt(0.25 / weights.size)
        for value, expected in ((0, share), (1, (1 - share) / 2), (-1, (1 - share) / 2)):
            assert abs(float((weights == value).mean()) - expected) <= error


def test_gaussian_trits_have_the_zeros_that_rounding_by_the_mean_magnitude_makes() -> None:
    drawn = np.random.default_rng(5).normal(size=1_000_000)
    rounded = float((np.abs(np.rint(drawn / np.abs(drawn).mean())) == 0).mean())
    weights = Gaussian(32.0).source(WIDE, 640, 1, np.random.default_rng(1)).weights()
    assert abs(float((weights == 0).mean()) - rounded) < 0.005


def test_activations_are_distributed_as_named() -> None:
    trials = 6400
    gaussian = Gaussian(20.0).source(WIDE, trials, 1, np.random.default_rng(2)).activations()
    # Rounding to whole numbers adds their variance.
    assert abs(float(gaussian.std()) - math.sqrt(400 + 1 / 12)) < 0.2
    assert abs(float(gaussian.mean())) < 0.2
    uniform = Uniform().source(WIDE, trials, 1, np.random.default_rng(2)).activations()
    counts = np.bincount(uniform.astype(int).ravel() + 128, minlength=256)
    expected = uniform.size / 256
    # Chi squared with 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert abs(float(((counts - expected) ** 2 / expected).sum()) - 255) < 5 * 22.6
    clipped = Gaussian(500.0).source(WIDE, trials, 1, np.random.default_rng(2)).activations()
    assert (int(clipped.min()), int(clipped.max())) == (-128, 127)


@pytest.mark.parametrize("bits", [1, 5, 8])
def test_the_worst_operands_flip_every_activation_bit_each_token_and_every_sign_each_second_tile(bits: int) -> None:
    config = AcceleratorConfig(8, 4, 64, 32, activation_bits=bits)
    source = Worst().source(config, 64, 1, np.random.default_rng(3))
    tokens = [source.activations().astype(np.int64) for _ in range(6)]
    assert all(((a ^ b) & ((1 << bits) - 1) == (1 << bits) - 1).all() for a, b in itertools.pairwise(tokens))
    tiles = [source.weights() for _ in range(9)]
    assert all((abs(tile) == 1).all() for tile in tiles)
    assert all((a == -b).all() for a, b in zip(tiles, tiles[2:], strict=False))
    for tile in tiles:  # all lanes and columns of a trial alike
        assert (tile == tile[:1, :1]).all()


def test_scales_are_the_mean_magnitudes_of_groups_and_weights_trits_times_them() -> None:
    source = Gaussian(1.0, 0.45).source(SCALED, 6400, 1, np.random.default_rng(7))
    weights = source.weights()
    assert weights.dtype == np.float16
    scales = np.abs(weights).max(axis=0)
    assert np.isin(np.abs(weights), 0).mean() == pytest.approx(0.45, abs=0.01)
    assert (np.isin(weights, 0) | (np.abs(weights) == scales)).all()
    scales = scales[scales > 0].astype(np.float64)  # of all zeros, no scale is to be seen
    drawn = np.abs(np.random.default_rng(8).normal(size=(20000, 128))).mean(axis=1)
    assert scales.mean() == pytest.approx(drawn.mean(), rel=0.01)
    assert scales.std() == pytest.approx(drawn.std(), rel=0.05)
    assert source.activations().dtype == np.float16
    assert (source.weights() != weights).any()


def test_the_worst_scaled_weights_flip_every_bit_of_the_scale() -> None:
    source = Worst().source(SCALED, 64, 1, np.random.default_rng(3))
    tiles = [source.weights() for _ in range(5)]
    for a, b in zip(tiles, tiles[2:], strict=False):
        assert (a.view(np.uint16) ^ b.view(np.uint16) == 0xFFFF).all()


def test_recorded_integers_are_no_fp16_activations() -> None:
    message = r"its activations are integers, and the array takes FP16 .*; expected .* accumulation exact"
    with pytest.raises(StimulusError, match=message):
        recorded_operands("tiny-b158").source(SCALED, 64, 1, np.random.default_rng(0))


def test_a_binary_array_gets_no_zeros() -> None:
    for text in ("gaussian:32,zeros:0.5", "uniform", "worst", "model:tiny-bitnet"):
        weights = parse_operands(text).source(BINARY, 64, 1, np.random.default_rng(4)).weights()
        assert set(np.unique(weights)) == {-1, 1}


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        (
            "tiny-b158",
            BINARY,
            "weight_encoding binary1 cannot encode; expected .* an array with weight_encoding ternary2, ternary5$",
        ),
        (
            "tiny-b158",
            AcceleratorConfig(8, 4, 64, 32, activation_bits=4),
            "activation_bits 4 holds -8 to 7; expected .* an array with activation_bits 8$",
        ),
    ],
)
def test_a_models_operands_are_refused_where_they_do_not_fit(
    model: str, config: AcceleratorConfig, message: str
) -> None:
    with pytest.raises(StimulusError, match=message):
        recorded_operands(model).source(config, 64, 1, np.random.default_rng(0))


@pytest.mark.parametrize("tokens", [1, 4])
def test_recorded_operands_are_a_matmul_of_the_model_in_the_streams_order(tokens: int) -> None:
    recorded = recorded_operands("tiny-b158")
    source = recorded.source(TINY, 64, tokens, np.random.default_rng(6))
    # Each K of the model is whole tiles; the sums over them must be in the product of a whole layer.
    tiles = 128 // TINY.lanes
    sums = np.zeros((tokens, TINY.columns, 64), np.int64)
    for _ in range(tiles):
        weights = source.weights().astype(np.int64)
        for token in range(tokens):
            sums[token] += np.einsum("lt,lct->ct", source.activations().astype(np.int64), weights)
    products = [integer_matmul(x, codes) for codes, x in recorded.layers if len(codes) == 128]
    windows = {
        tuple(np.roll(product, -first, axis=0)[:tokens, column : column + TINY.columns].ravel())
        for product in products
        for first in range(len(product))
        for column in range(0, product.shape[1], TINY.columns)
    }
    found = [tuple(sums[:, :, trial].ravel()) in windows for trial in range(64)]
    # The down projections have K 256, and with it a share of 2/8 of the weights.
    assert 0.5 < np.mean(found) < 1


def test_operands_depend_on_the_seed_alone() -> None:
    for text in TEXTS:
        first, again, other = (Stimulus(TINY, parse_operands(text), words=2, seed=seed).source for seed in (7, 7, 8))
        for _ in range(5):
            draws = [(source.weights(), source.activations()) for source in (first, again, other)]
            assert all(np.array_equal(a, b) for a, b in zip(draws[0], draws[1], strict=True))
            assert not all(np.array_equal(a, b) for a, b in zip(draws[0], draws[2], strict=True))


@pytest.mark.parametrize("config", [TINY, WIDE, BINARY, INT8])
def test_each_trials_beats_are_those_of_the_packing(config: AcceleratorConfig) -> None:
    stimulus = Stimulus(config, Uniform(), words=2, seed=9)
    weights, activations = stimulus.source.weights(), stimulus.source.activations()
    beats = [from_words(words) for words in stimulus.weight_beats(weights)]
    activation_beats = from_words(stimulus.activation_beat(activations))
    for trial in (0, 1, 63, 64, 127):
        given = [int.from_bytes(beat[trial].tobytes(), "little") for beat in beats]
        assert given == weight_beats(config, weights[:, :, trial].tolist())
        beat = int.from_bytes(activation_beats[trial].tobytes(), "little")
        assert beat == activation_beat(config, activations[:, trial].tolist())


def test_words_hold_bits_by_trial() -> None:
    beats = np.random.default_rng(10).integers(0, 256, (3 * WORD_BITS, 5), dtype=np.uint8)
    words = to_words(beats)
    assert words.shape == (40, 3)
    assert words[9, 1] >> np.uint64(2) & np.uint64(1) == beats[WORD_BITS + 2, 1] >> 1 & 1
    assert np.array_equal(from_words(words), beats)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "held"), one_of_each([[(text, held) for held in (False, True)] for text in TEXTS], "operands of netlists")
)
def test_the_netlist_computes_right_sums_with_any_operands(
    text: str, held: bool, synthesised: Callable[[AcceleratorConfig], Netlist]
) -> None:
    stimulus = Stimulus(TINY, parse_operands(text), words=1, seed=11, held=held)
    check(Simulator(synthesised(TINY), "clk", 1), stimulus, tiles=5)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["gaussian:20,zeros:0.2", "uniform", "worst"])
@pytest.mark.parametrize("config", [INT8, *seldom([FP16], 3, "netlists that multiply")])
def test_netlists_that_multiply_compute_right_sums(
    config: AcceleratorConfig, text: str, synthesised: Callable[[AcceleratorConfig], Netlist]
) -> None:
    check(Simulator(synthesised(config), "clk", 1), Stimulus(config, parse_operands(text), words=1, seed=14), tiles=4)


def test_weights_that_are_multiplied_are_distributed_as_the_activations() -> None:
    for config in (INT8, FP16):
        weights = Gaussian(20.0).source(config, 6400, 1, np.random.default_rng(15)).weights().astype(np.float64)
        assert abs(float(weights.std()) - 20) < 0.3
        zeros = Gaussian(20.0, 0.5).source(config, 6400, 1, np.random.default_rng(15)).weights() == 0
        natural = math.erf(0.5 / 20 / math.sqrt(2)) if config is INT8 else 0.0
        assert abs(float(zeros.mean()) - (0.5 + 0.5 * natural)) < 0.01
    uniform = Uniform().source(FP16, 6400, 1, np.random.default_rng(15)).weights()
    assert uniform.dtype == np.float16
    assert float(np.abs(uniform).max()) <= 1


def test_the_worst_numbers_flip_every_bit() -> None:
    for config, bits in ((INT8, np.uint8), (FP16, np.uint16)):
        source = Worst().source(config, 64, 1, np.random.default_rng(3))
        tiles = [np.ascontiguousarray(source.weights()).view(bits) for _ in range(3)]
        assert np.array_equal(tiles[0], ~tiles[2])
        tokens = [np.ascontiguousarray(source.activations()).view(bits) for _ in range(2)]
        assert np.array_equal(tokens[0], ~tokens[1])


@pytest.mark.slow
def test_a_netlist_with_two_pins_swapped_is_found_wrong(synthesised: Callable[[AcceleratorConfig], Netlist]) -> None:
    netlist = synthesised(TINY)
    sums = netlist.outputs["m_axis_results_tdata"]
    sums[3], sums[4] = sums[4], sums[3]
    try:
        with pytest.raises(NetlistError, match="wrong sum"):
            check(Simulator(netlist, "clk", 1), Stimulus(TINY, Uniform(), words=1, seed=12), tiles=2)
    finally:
        sums[3], sums[4] = sums[4], sums[3]


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
def test_a_long_matmul_takes_a_tile_as_often_as_it_can_and_holds_beats_until_then(
    held: bool, synthesised: Callable[[AcceleratorConfig], Netlist]
) -> None:
    stimulus = Stimulus(TINY, Uniform(), words=1, seed=13, held=held)
    simulator = Simulator(synthesised(TINY), "clk", 1)
    simulator.settle()
    taken = tokens = 0
    waiting = None
    warm_up, cycles = 8, 8 + 40
    for cycle, inputs in enumerate(stimulus.steady(simulator, cycles)):
        if waiting is not None:
            assert waiting == ("s_axis_weights_tdata" not in inputs)
        simulator.cycle(inputs, count=False)
        ready = bool(simulator.output("s_axis_weights_tready")[0, 0] & 1)
        waiting = not ready if cycle >= 2 else None
        if cycle >= warm_up:
            taken += ready
            tokens += int(simulator.output("s_axis_activations_tready")[0, 0] & 1)
    period = max(stimulus.tokens, TINY.tile_beats)
    assert taken == 40 // period * TINY.tile_beats
    assert tokens == 40 // period * stimulus.tokens


def test_a_constant_is_the_same_in_all_trials() -> None:
    assert np.array_equal(from_words(constant(0x1234, 16, 2)), np.tile(np.array([0x34, 0x12], np.uint8), (128, 1)))


def test_a_path_names_the_operands_of_a_checkpoint() -> None:
    by_path = recorded_operands(str(shipped_models()["tiny-b158"]))
    assert by_path.fingerprint == recorded_operands("tiny-b158").fingerprint
    assert by_path.fingerprint != recorded_operands("tiny-bitnet").fingerprint


def test_a_path_without_a_checkpoint_is_refused(tmp_path) -> None:
    with pytest.raises(StimulusError, match=r"config\.json"):
        parse_operands(f"model:{tmp_path}")


def test_each_group_of_a_linear_keeps_its_own_operands() -> None:
    random = np.random.default_rng(3)
    codes = [random.choice([-1, 0, 1], size=(8, 6)).astype(np.int8) for _ in range(2)]
    groups = tuple(MatmulWeights(QuantisedWeights(each, np.ones(1, np.float32))) for each in codes)
    linear, recorder = LinearLayer(0, "q_proj", GroupedWeights(groups)), Recorder()
    for tokens in (3, 1):
        linear(random.normal(size=(tokens, 16)).astype(np.float32), Run(recorder, recorder.observe))
    for group, expected in enumerate(codes):
        np.testing.assert_array_equal(recorder.weights["layers.0.q_proj", group], expected)
        assert [len(x) for x in recorder.activations["layers.0.q_proj", group]] == [3, 1]


def test_layers_are_drawn_by_their_weights_and_within_one_each_row_of_tiles_and_token_as_often():
    """One layer of a tile, one of 3 x 2 tiles with six times as many weights; three standard deviations."""
    config, trials = read_configuration("tiny_8x4"), 6000
    draw = np.random.default_rng(5)
    sizes = [(config.lanes, config.columns, 4), (2 * config.lanes, 3 * config.columns, 5)]
    layers = tuple(
        (draw.integers(-1, 2, (k, n)).astype(np.int8), draw.integers(-8, 8, (tokens, k)).astype(np.int8))
        for k, n, tokens in sizes
    )
    drawn = Recorded("made", layers).source(config, trials, 1, np.random.default_rng(7)).trials
    larger = [trial for trial in drawn if trial.weights.shape[:2] == (3, 2)]
    counts = [(len(larger), trials, 6 / 7)]
    counts += [(sum(trial.first_tile == tile for trial in larger), len(larger), 1 / 3) for tile in (0, 2, 4)]
    counts += [(sum(trial.first_token == token for trial in larger), len(larger), 1 / 5) for token in range(5)]
    for count, of, share in counts:
        assert abs(count - of * share) < 3 * np.sqrt(of * share * (1 - share))
