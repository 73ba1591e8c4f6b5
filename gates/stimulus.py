"""What the accelerator's ports see: reset, a command, operands; and the check that its netlist computes matmuls."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitjoule.gates.boolean import Words
from bitjoule.gates.simulation import WORD_BITS, Simulator
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat

Bits = NDArray[np.bool_]
Integers = NDArray[np.int64]
_RESET_CYCLES = 2
_ON = ("s_axis_weights_tvalid", "s_axis_activations_tvalid", "m_axis_results_tready")
_LAST = ("s_axis_command_tlast", "s_axis_weights_tlast", "s_axis_activations_tlast")


@dataclass(frozen=True)
class Operands:
    """Distribution of the operands.

    Parameters
    ----------
    zero_share : float
        Share of trits that are zero; +1 and -1 share the rest.
    sigma : float
        Standard deviation of the activations, which are Gaussian, rounded and clipped.
    """

    zero_share: float
    sigma: float


def pack(bits: Bits) -> Words:
    """Return bits x trials as bits x words."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def unpack(words: Words) -> Bits:
    """Return bits x words as bits x trials."""
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").astype(np.bool_)


def constant(value: int, bits: int, words: int) -> Words:
    """Return the same number in all trials."""
    rows = np.array([value >> bit & 1 for bit in range(bits)], dtype=np.uint64)
    return np.repeat((np.uint64(0) - rows)[:, np.newaxis], words, axis=1)


class NetlistError(Exception):
    """A netlist does not compute what its Verilog does."""


class Stimulus:
    """Random operands for a configuration, independent in each trial.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    operands : Operands
        Their distribution.
    words : int
        Words of 64 trials.
    seed : int
        Of the random numbers.
    """

    def __init__(self, config: AcceleratorConfig, operands: Operands, words: int, seed: int) -> None:
        self.config = config
        self.operands = operands
        self.words = words
        self.trials = WORD_BITS * words
        self.random = np.random.default_rng(seed)
        encoding = config.encoding
        # Code words by the trits they stand for, as a number of base 3 with digits trit + 1.
        self.codes = np.zeros(3**encoding.trits, dtype=np.int64)
        for trits, code in encoding.encoded.items():
            self.codes[sum((trit + 1) * 3**place for place, trit in enumerate(trits))] = code

    def trits(self) -> Integers:
        """Return a tile of random trits: lanes x columns x trials."""
        shape = (self.config.lanes, self.config.columns, self.trials)
        signs = self.random.integers(0, 2, shape) * 2 - 1
        if not self.config.encoding.zero:
            return signs
        return np.where(self.random.random(shape) < self.operands.zero_share, 0, signs)

    def beats(self, trits: Integers) -> list[Words]:
        """Return the beats of a tile, each bits x words."""
        encoding, config = self.config.encoding, self.config
        padding = -config.columns % encoding.trits
        padded = np.pad(trits + 1, ((0, 0), (0, padding), (0, 0)), constant_values=encoding.padding() + 1)
        digits = padded.reshape(-1, encoding.trits, self.trials)
        codes = self.codes[np.tensordot(3 ** np.arange(encoding.trits), digits, axes=(0, 1))]
        bits = _bits(codes, encoding.bits)
        missing = config.tile_beats * config.weight_bus_bits - len(bits)
        packed = pack(np.pad(bits, ((0, missing), (0, 0))))
        return list(packed.reshape(config.tile_beats, config.weight_bus_bits, self.words))

    def activations(self) -> Integers:
        """Return random activations: lanes x trials."""
        bits = self.config.activation_bits
        drawn = np.rint(self.random.normal(0.0, self.operands.sigma, (self.config.lanes, self.trials)))
        return np.clip(drawn, -(1 << (bits - 1)), (1 << (bits - 1)) - 1).astype(np.int64)

    def activation_beat(self, activations: Integers) -> Words:
        """Return activations as a beat: bits x words."""
        bits = _bits(activations, self.config.activation_bits)
        return pack(np.pad(bits, ((0, self.config.activation_bus_bits - len(bits)), (0, 0))))

    def start(self, m: int, k: int, n: int) -> dict[str, Words]:
        """Return all inputs in reset, the command and every handshake already offered."""
        command = {"s_axis_command_tdata": constant(command_beat(m, k, n), 64, self.words)}
        ones = dict.fromkeys(("rst", "s_axis_command_tvalid", *_ON), constant(1, 1, self.words))
        return command | ones | dict.fromkeys(_LAST, constant(0, 1, self.words))

    def steady(self, cycles: int, held: bool) -> Iterator[dict[str, Words]]:
        """Yield the inputs of a long matmul: M = 1, or M = tokens with weights held.

        Parameters
        ----------
        cycles : int
            How many cycles, reset among them.
        held : bool
            Whether a weight tile serves `tokens` tokens.
        """
        for cycle in range(cycles):
            inputs: dict[str, Words] = {}
            if cycle == 0:
                inputs |= self.start(self.config.tokens if held else 1, self.config.max_k, (1 << 24) - 1)
            elif cycle == _RESET_CYCLES:
                inputs["rst"] = constant(0, 1, self.words)
            if cycle % self.config.tile_beats == 0:
                beats = self.beats(self.trits())
            inputs["s_axis_weights_tdata"] = beats[cycle % self.config.tile_beats]
            inputs["s_axis_activations_tdata"] = self.activation_beat(self.activations())
            yield inputs


def check(simulator: Simulator, stimulus: Stimulus, tiles: int) -> None:
    """Compute one output row with the netlist and compare it with NumPy's.

    Parameters
    ----------
    simulator : Simulator
        Of the accelerator's netlist.
    stimulus : Stimulus
        Of the same configuration and as many words.
    tiles : int
        Tiles in K.

    Raises
    ------
    NetlistError
        A sum differs, or none came.
    """
    config = stimulus.config
    weights = [stimulus.trits() for _ in range(tiles)]
    activations = [stimulus.activations() for _ in range(tiles)]
    expected = sum(np.einsum("lt,lct->ct", x, w) for x, w in zip(activations, weights, strict=True))
    streams = {
        "weights": [beat for tile in weights for beat in stimulus.beats(tile)],
        "activations": [stimulus.activation_beat(x) for x in activations],
        "command": [constant(command_beat(1, tiles * config.lanes, config.columns), 64, stimulus.words)],
    }
    simulator.settle()
    simulator.cycle(stimulus.start(1, 1, 1), count=False)
    simulator.cycle({}, count=False)
    position = dict.fromkeys(streams, 0)
    # Nothing waits for long: all beats are offered at once.
    for _ in range(len(streams["weights"]) + 20):
        inputs = {"rst": constant(0, 1, stimulus.words)}
        for name, beats in streams.items():
            there = position[name] < len(beats)
            inputs[f"s_axis_{name}_tvalid"] = constant(int(there), 1, stimulus.words)
            if there:
                inputs[f"s_axis_{name}_tdata"] = beats[position[name]]
        simulator.cycle(inputs, count=False)
        for name, beats in streams.items():
            position[name] += position[name] < len(beats) and bool(simulator.output(f"s_axis_{name}_tready")[0, 0] & 1)
        if simulator.output("m_axis_results_tvalid")[0, 0] & 1:
            bits = unpack(simulator.output("m_axis_results_tdata")).reshape(config.columns, config.result_bits, -1)
            weight = 1 << np.arange(config.result_bits, dtype=np.int64)
            weight[-1] = -weight[-1]
            found = np.einsum("b,cbt->ct", weight, bits.astype(np.int64))
            if simulator.output("m_axis_results_tuser")[0, 0] & 1:
                raise NetlistError("the netlist calls the command malformed")
            if not np.array_equal(found, expected):
                raise NetlistError("the netlist computes a wrong sum")
            return
    raise NetlistError("the netlist gives no result")


def _bits(values: Integers, bits: int) -> Bits:
    """Return values x trials as bits x trials, the lowest bit of the first value first."""
    split = values[:, np.newaxis, :] >> np.arange(bits)[np.newaxis, :, np.newaxis] & 1
    return split.reshape(-1, values.shape[-1]).astype(np.bool_)
