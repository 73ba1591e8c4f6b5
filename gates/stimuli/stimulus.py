"""What the accelerator's ports see: reset, a command, operands; and the check that its netlist computes matmuls."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.liberty.boolean import Words
from bitjoule.gates.power.activity import WORD_BITS, Simulator
from bitjoule.gates.stimuli.operands import Operands, Values
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import Bytes, activation_stream, product_of_results, weight_stream
from bitjoule.sim.reference.float_matmul import canonical_bits

STREAMS = ("command", "weights", "activations")
_RESET_CYCLES = 2


def to_words(beats: Bytes) -> Words:
    """Return beats, one row a trial, as bits x words."""
    bits = np.unpackbits(beats, axis=1, bitorder="little").T
    return np.ascontiguousarray(np.packbits(bits, axis=1, bitorder="little")).view(np.uint64)


def from_words(words: Words) -> Bytes:
    """Return bits x words as beats, one row a trial."""
    bits = np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little").T
    return np.packbits(bits, axis=1, bitorder="little")


def constant(value: int, bits: int, words: int) -> Words:
    """Return the same number in all trials."""
    rows = np.array([value >> bit & 1 for bit in range(bits)], dtype=np.uint64)
    return np.repeat((np.uint64(0) - rows)[:, np.newaxis], words, axis=1)


class NetlistError(Exception):
    """A netlist does not compute what its Verilog does."""


def offered(simulator: Simulator, streams: Mapping[str, Iterable[Words]]) -> Iterator[dict[str, Words]]:
    """Yield the inputs of each cycle: reset, then beats, each offered until it is taken; results are taken at once.

    The first cycle without a reset is number `_RESET_CYCLES`. Endless, also when the beats are not.

    Parameters
    ----------
    simulator
        To be stepped with what is yielded, one cycle each: its outputs tell what was taken. No trial may differ from
        another in its handshakes.
    streams
        The beats of each of `STREAMS`: bits x words.
    """
    high, low = constant(1, 1, simulator.words), constant(0, 1, simulator.words)
    yield {"rst": high, "m_axis_results_tready": high}
    yield from repeat({}, _RESET_CYCLES - 1)
    inputs = {"rst": low}
    sources = {name: iter(beats) for name, beats in streams.items()}
    waiting = dict.fromkeys(sources, False)
    while True:
        for name, beats in sources.items():
            if waiting[name] and not simulator.output(f"s_axis_{name}_tready")[0, 0] & 1:
                continue
            beat = next(beats, None)
            waiting[name] = beat is not None
            inputs[f"s_axis_{name}_tvalid"] = high if waiting[name] else low
            if beat is not None:
                inputs[f"s_axis_{name}_tdata"] = beat
        yield inputs
        inputs = {}


class Stimulus:
    """Operands for a configuration, other ones in each trial, as beats.

    Parameters
    ----------
    config
        The accelerator.
    operands
        What they are.
    words
        Words of 64 trials.
    seed
        Of the random numbers.
    held
        Whether a weight tile serves `config.tokens` tokens; else one.
    """

    def __init__(
        self, config: AcceleratorConfig, operands: Operands, words: int, seed: int, held: bool = False
    ) -> None:
        self.config = config
        self.words = words
        self.trials = WORD_BITS * words
        self.tokens = config.tokens if held else 1
        self.source = operands.source(config, self.trials, self.tokens, np.random.default_rng(seed))

    def weight_beats(self, weights: Values) -> list[Words]:
        """Return the beats of a tile, each bits x words.

        Parameters
        ----------
        weights
            lanes x columns x trials.
        """
        config = self.config
        side_by_side = weights.transpose(0, 2, 1).reshape(config.lanes, -1)
        beats = weight_stream(config, side_by_side).reshape(self.trials, config.tile_beats, -1)
        return [to_words(beats[:, beat]) for beat in range(config.tile_beats)]

    def activation_beat(self, activations: Values) -> Words:
        """Return a token's activations as a beat, bits x words.

        Parameters
        ----------
        activations
            lanes x trials.
        """
        return to_words(activation_stream(self.config, np.ascontiguousarray(activations.T), 1))

    def command(self, m: int, k: int, n: int) -> Words:
        """Return the command of a matmul, in all trials."""
        return constant(command_beat(m, k, n), 64, self.words)

    def steady(self, simulator: Simulator, cycles: int, k: int | None = None) -> Iterator[dict[str, Words]]:
        """Yield the inputs of a matmul too long to end, reset first.

        Parameters
        ----------
        simulator
            To be stepped with them.
        cycles
            How many cycles, reset among them.
        k
            K of the matmul: a sum is complete after each `k` / lanes tiles. By default the configuration's largest.
        """
        weights = (beat for _ in repeat(None) for beat in self.weight_beats(self.source.weights()))
        activations = (self.activation_beat(self.source.activations()) for _ in repeat(None))
        command = [self.command(self.tokens, k or self.config.max_k, (1 << 24) - 1)]
        streams = dict(zip(STREAMS, (command, weights, activations), strict=True))
        for _, inputs in zip(range(cycles), offered(simulator, streams), strict=False):
            yield inputs


def check(simulator: Simulator, stimulus: Stimulus, tiles: int) -> None:
    """Compute the sums of one tile of columns with the netlist and compare them with NumPy's.

    Parameters
    ----------
    simulator
        Of the accelerator's netlist.
    stimulus
        Of the same configuration and as many words.
    tiles
        Tiles in K.

    Raises
    ------
    NetlistError
        A sum differs, or none came.
    """
    config, tokens = stimulus.config, stimulus.tokens
    weights = [stimulus.source.weights() for _ in range(tiles)]
    activations = [[stimulus.source.activations() for _ in range(tokens)] for _ in range(tiles)]
    streams = {
        "command": [stimulus.command(tokens, tiles * config.lanes, config.columns)],
        "weights": [beat for tile in weights for beat in stimulus.weight_beats(tile)],
        "activations": [stimulus.activation_beat(token) for block in activations for token in block],
    }
    products: list[NDArray[np.generic]] = []
    simulator.settle()
    # Nothing waits for long: all beats are offered at once.
    limit = _RESET_CYCLES + tiles * max(tokens, config.tile_beats) + config.tile_beats + config.latency_cycles + 20
    for cycle, inputs in zip(range(limit), offered(simulator, streams), strict=False):
        simulator.cycle(inputs, count=False)
        # What registers hold before the reset is anything: zeros, or where they store the inverse, ones.
        if cycle >= _RESET_CYCLES and simulator.output("m_axis_results_tvalid")[0, 0] & 1:
            if simulator.output("m_axis_results_tuser")[0, 0] & 1:
                raise NetlistError("the netlist rejected a valid command as malformed")
            beats = from_words(simulator.output("m_axis_results_tdata"))
            products.append(product_of_results(config, beats, stimulus.trials, config.columns))
            if len(products) == tokens:
                break
    if len(products) < tokens:
        raise NetlistError("the netlist returned no result")
    for token, sums in enumerate(products):
        x = np.concatenate([block[token] for block in activations])
        w = np.concatenate(weights)
        for trial in range(stimulus.trials):
            if not _equal(config, sums[trial], x[:, trial], w[:, :, trial]):
                raise NetlistError("the netlist computed a wrong sum")


def _equal(config: AcceleratorConfig, sums: Values, x: Values, w: Values) -> bool:
    expected = expected_product(config, x[np.newaxis], w)[0]
    if config.floating_point:
        return np.array_equal(canonical_bits(sums), canonical_bits(expected))
    return np.array_equal(sums, expected)
