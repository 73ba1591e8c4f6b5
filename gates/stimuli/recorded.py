"""Operands recorded from a trained model that ships: its trits, and the activations that meet them."""

from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.gates.constants import constant
from bitjoule.gates.stimuli.operands import RANDOM, OperandSource, StimulusError, Values
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.sim.accelerator.build_cache import content_hash
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import Int32s, MatmulRecord, MatmulWeights, NumpyEngine
from bitjoule.sim.llm.linears import OverflowInModelError
from bitjoule.sim.llm.tokenizer import IdTokenizer
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.reference.matmul import Codes

PROMPT = "Return the "
IDS = "0 1 2"  # of a model without tokenizer
SEED = 1


@dataclass(eq=False)
class Recorder:
    """An engine that keeps the operands of each matmul; give its `observe` to the model, too.

    Attributes
    ----------
    weights
        Codes of each matmul by its name and its group of in_features, (K, N).
    activations
        Its activations, call by call, (M, K) each.
    """

    weights: dict[tuple[str, int], Codes] = field(default_factory=dict)
    activations: dict[tuple[str, int], list[Codes]] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _operands: tuple[str, Codes, Codes] = field(init=False)

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product; see `bitjoule.sim.llm.engines.Engine.matmul`."""
        self._operands = name, activations.copy(), weights.codes
        return NumpyEngine().matmul(name, activations, weights)

    def observe(self, record: MatmulRecord) -> None:
        """Keep the operands of the product that was made last.

        Parameters
        ----------
        record
            Says of how many groups the linear is: each is a matmul of its own, and they come in turn.
        """
        name, activations, codes = self._operands
        call = self._calls.get(name, 0)
        self._calls[name] = call + 1
        key = name, call % record.groups
        self.weights[key] = codes
        self.activations.setdefault(key, []).append(activations)


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a model multiplied while it continued `PROMPT` one by one, to ``recorded-tokens`` of constants.csv.

    Parameters
    ----------
    model
        Its name.
    layers
        Of each linear: codes (K, N) and activations (tokens, K), int8.
    """

    model: str
    layers: tuple[tuple[Codes, Codes], ...]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the operands: a model that is trained anew keeps its name."""
        return content_hash(*(np.ascontiguousarray(codes).tobytes() for layer in self.layers for codes in layer))

    def source(self, config: AcceleratorConfig, trials: int, tokens: int, random: np.random.Generator) -> OperandSource:
        """Return sequences of tiles as the accelerator takes them.

        A trial begins at a random token and tile of columns of a random linear, and walks on as a matmul does: K, N,
        then the next tokens. Linears are drawn by the number of their weights, as the array's time goes to them.

        Parameters
        ----------
        config, trials, tokens, random
            As for `Operands.source`.

        Raises
        ------
        StimulusError
            The configuration takes other weights or narrower activations.
        """
        if config.scaled:
            raise StimulusError(
                f"stimulus model:{self.model}: its activations are integers, and the array takes FP16 (accumulation "
                f"fp32); expected {RANDOM}, or an array with accumulation exact"
            )
        needed = {int(value) for codes, _ in self.layers for value in np.unique(codes)}
        if config.multiplies or (0 in needed and not config.encoding.zero):
            kind = "trits" if 0 in needed else "-1 and +1"
            fitting = ", ".join(name for name, code in ENCODINGS.items() if code.zero or 0 not in needed)
            raise StimulusError(
                f"stimulus model:{self.model}: its weights are {kind}, which weight_encoding "
                f"{config.weight_encoding} cannot encode; expected {RANDOM}, or an array with weight_encoding {fitting}"
            )
        limit = 1 << (config.activation_bits - 1)
        least, most = (int(edge([edge(x) for _, x in self.layers])) for edge in (np.min, np.max))
        if least < -limit or most >= limit:
            raise StimulusError(
                f"stimulus model:{self.model}: its activations are {least} to {most}; activation_bits "
                f"{config.activation_bits} holds {-limit} to {limit - 1}; expected {RANDOM}, or an array with "
                f"activation_bits {max(-least - 1, most).bit_length() + 1}"
            )
        return _Walk(config, tokens, _starts(config, self.layers, trials, random))


@dataclass(frozen=True, eq=False)
class _Trial:
    weights: NDArray[np.int8]  # (tiles of N, tiles of K, lanes, columns)
    activations: NDArray[np.int8]  # (tokens, tiles of K, lanes)
    first_tile: int
    first_token: int


@dataclass(eq=False)
class _Walk:
    config: AcceleratorConfig
    tokens: int
    trials: list[_Trial]
    tile: int = 0
    token: int = 0

    def weights(self) -> Values:
        tiles = [self._place(trial, self.tile) for trial in self.trials]
        self.tile += 1
        pairs = zip(self.trials, tiles, strict=True)
        return np.stack([trial.weights[n, k] for trial, (_, n, k) in pairs], axis=-1)

    def activations(self) -> Values:
        tile, place = divmod(self.token, self.tokens)
        self.token += 1
        columns = []
        for trial in self.trials:
            block, _, k = self._place(trial, tile)
            token = (trial.first_token + block * self.tokens + place) % len(trial.activations)
            columns.append(trial.activations[token, k])
        return np.stack(columns, axis=-1)

    def _place(self, trial: _Trial, tile: int) -> tuple[int, int, int]:
        """Return which block of tokens, which tile of N and which of K."""
        n_tiles, k_tiles = trial.weights.shape[:2]
        n, k = divmod(trial.first_tile + tile, k_tiles)
        return n // n_tiles, n % n_tiles, k


def _starts(
    config: AcceleratorConfig, layers: tuple[tuple[Codes, Codes], ...], trials: int, random: np.random.Generator
) -> list[_Trial]:
    tiled = [_tiled(config, *layer) for layer in layers]
    sizes = np.array([codes.size for codes, _ in layers])
    starts = []
    for layer in random.choice(len(layers), trials, p=sizes / sizes.sum()):
        weights, activations = tiled[layer]
        n_tiles, k_tiles = weights.shape[:2]
        first_tile = int(random.integers(n_tiles)) * k_tiles
        starts.append(_Trial(weights, activations, first_tile, int(random.integers(len(activations)))))
    return starts


def _tiled(config: AcceleratorConfig, codes: Codes, x: Codes) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    k, n = codes.shape
    k_tiles, n_tiles = -(-k // config.lanes), -(-n // config.columns)
    weights = np.full((k_tiles * config.lanes, n_tiles * config.columns), config.encoding.padding(), np.int8)
    weights[:k, :n] = codes
    activations = np.zeros((len(x), k_tiles * config.lanes), np.int8)
    activations[:, :k] = x
    tiles = weights.reshape(k_tiles, config.lanes, n_tiles, config.columns).transpose(2, 0, 1, 3)
    return tiles, activations.reshape(len(x), k_tiles, config.lanes)


@cache
def recorded_operands(name: str) -> Recorded:
    """Run a model and return its operands.

    Parameters
    ----------
    name
        A shipped model, e.g. ``tiny-b158``, or a path with a ``/`` in it: a Hugging Face folder or a GGUF file.

    Raises
    ------
    StimulusError
        There is no such model, it cannot be read or run, or its weights are no trits.
    """
    shipped = shipped_models()
    if name not in shipped and "/" not in name:
        raise StimulusError(
            f"stimulus model:{name}: unknown model; expected one of {', '.join(shipped)}, or a path with a / in it"
        )
    recorder = Recorder()
    try:
        loaded = load_model(shipped.get(name, Path(name)), name)
        prompt = loaded.tokenizer.encode(IDS if isinstance(loaded.tokenizer, IdTokenizer) else PROMPT)
        # The last token that comes out has not gone in.
        new_tokens = max(1, int(constant("recorded-tokens")) - len(prompt) + 1)
        temperature = constant("recorded-temperature")
        for _ in loaded.model.generate(prompt, new_tokens, recorder, temperature, SEED, observe=recorder.observe):
            pass
    except (InputError, ValueError, OverflowInModelError) as error:
        raise StimulusError(f"stimulus model:{name}: {error}") from error
    if not recorder.weights:
        raise StimulusError(f"stimulus model:{name}: its weights are floats; expected trits")
    return Recorded(name, tuple((recorder.weights[key], np.concatenate(x)) for key, x in recorder.activations.items()))
