"""Models of any shape with random weights: each block is made when it runs, from the seed, and dropped after it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.sim.llm.defaults import model_types
from bitjoule.sim.llm.engines import MatmulWeights
from bitjoule.sim.llm.layers import DecoderLayer
from bitjoule.sim.llm.linears import LinearLayer, Norm
from bitjoule.sim.llm.model import RESIDENT_TRITS, Blocks, EmbeddingTable, Model
from bitjoule.sim.llm.rope import Rope
from bitjoule.sim.reference.checks import Float32s
from bitjoule.sim.reference.matmul import Codes
from bitjoule.sim.reference.quantisation import Kind, QuantisedWeights

_CHUNK = 2**18  # codes made at a time, so that they stay in the cache
_EMBEDDING, _HEAD, _POSITIONS, _BLOCKS = range(4)  # streams of the seed


@dataclass(frozen=True, eq=False)
class RandomTable:
    """Random rows, held as bytes: a quarter of float32, and faster than drawing them again.

    Parameters
    ----------
    codes
        int8, shape (vocabulary, hidden).
    """

    codes: Codes

    @property
    def rows(self) -> int:
        """The vocabulary."""
        return len(self.codes)

    def block(self, start: int, stop: int) -> Float32s:
        """Return rows `start` to `stop`, of about unit variance; see `EmbeddingTable.block`."""
        return self.codes[start:stop] * np.float32(1 / 74)  # of all bytes the standard deviation is 74


def random_model(
    shape: ModelShape,
    zero_share: float = 1 / 3,
    seed: int = 0,
    kind: Kind = "ternary",
    resident: int = RESIDENT_TRITS,
) -> Model:
    """Return a model with random weights of a stated share of zeros.

    Parameters
    ----------
    shape
        Any dense model's. Biases are left out, gains are 1.
    zero_share
        Probability that a trit is zero, 0 to 1, in steps of 2⁻¹⁵; −1 and 1 are equally likely.
    seed
        The same seed gives the same model.
    kind
        ``binary`` has no zeros: `zero_share` must be 0.
    resident
        As for `Blocks`.

    Raises
    ------
    ValueError
        A share outside 0 to 1, zeros in binary weights, experts, layers without plain attention, or heads of an odd
        width with rotary positions.
    """
    check_random(shape, zero_share, kind)

    def make(index: int) -> DecoderLayer:
        linears = {}
        for place, linear in enumerate(shape.linears):
            k, n = linear.in_features, linear.out_features
            codes = random_codes(k, n, zero_share, [seed, _BLOCKS, index, place])
            scale = np.array([1 / np.sqrt(k * max(1 - zero_share, 1 / k))], np.float32)  # keeps the variance
            weights = MatmulWeights(QuantisedWeights(codes, scale, kind))
            linears[linear.component] = LinearLayer(index, linear.component, weights)
        return DecoderLayer(linears, _norms(shape), shape.heads, shape.kv_heads, shape.head_dim, shape.activation)

    return Model(
        shape,
        Blocks(make, shape, resident),
        _random_table(shape.vocabulary, shape.hidden, [seed, _EMBEDDING]),
        _norm(shape, shape.hidden),
        None if shape.tied_embedding else _random_table(shape.vocabulary, shape.hidden, [seed, _HEAD]),
        frequencies=None
        if shape.learned_positions
        else Rope(model_types().random.rope_theta).frequencies(shape.head_dim),
        positions=_random_table(shape.learned_positions, shape.hidden, [seed, _POSITIONS])
        if shape.learned_positions
        else None,
    )


# Keys of layers that this model of attention does not have.
NOT_SIMULATED = {
    "output_gate": "gates on its heads' outputs", "beside": "a state space beside its attention",
    "indexer": "an indexer of keys", "value_dim": "values of another width than keys",
}  # fmt: skip


def check_random(shape: ModelShape, zero_share: float, kind: Kind = "ternary") -> None:
    """Refuse what `random_model` cannot make.

    Parameters
    ----------
    shape, zero_share, kind
        As for `random_model`.

    Raises
    ------
    ValueError
        As `random_model`.
    """
    if not 0 <= zero_share <= 1:
        raise ValueError(f"zero_share is {zero_share}, expected 0 to 1")
    if kind == "binary" and zero_share:
        raise ValueError(f"zero_share is {zero_share}, expected 0: binary weights have no zeros")
    if shape.experts > 1:
        raise ValueError(f"the model has {shape.experts} experts, expected a dense model")
    for mixer in (shape.mixer, *(group.changes().get("mixer") for group in shape.groups)):
        if mixer:
            raise ValueError(f"the model has layers of kind {mixer.kind}, expected attention in every layer")
    layers = [{}, *(group.changes() for group in shape.groups)]
    for key, what in NOT_SIMULATED.items():
        if any(layer.get(key, getattr(shape, key)) for layer in layers):
            raise ValueError(f"the model has {what}, expected plain attention")
    if any(layer.get("feed_forward", shape.feed_forward) is not True for layer in layers):
        raise ValueError("the model has layers without a feed-forward network, expected one in every layer")
    if shape.head_dim % 2 and not shape.learned_positions:
        raise ValueError(f"head_dim is {shape.head_dim}, expected an even number, as positions are rotary")


def random_codes(k: int, n: int, zero_share: float, seed: Sequence[int]) -> Codes:
    """Return random trits: int8, shape (K, N).

    Parameters
    ----------
    k, n
        The shape.
    zero_share
        Probability that a trit is zero, 0 to 1, in steps of 2⁻¹⁵; −1 and 1 are equally likely.
    seed
        The same seed gives the same trits.
    """
    zeros = round(zero_share * 2**15)  # 15 bits decide that, one bit the sign
    rng = np.random.default_rng(seed)
    codes = np.empty(k * n, np.int8)
    for start in range(0, k * n, _CHUNK):
        part = codes[start : start + _CHUNK]
        drawn = _random_bytes(rng, 2 * len(part)).view("<u2")
        np.bitwise_and(drawn, 1, out=part, casting="unsafe")
        part *= 2
        part -= 1
        part *= drawn >> 1 >= zeros
    return codes.reshape(k, n)


def _random_table(rows: int, width: int, seed: list[int]) -> EmbeddingTable:
    drawn = _random_bytes(np.random.default_rng(seed), rows * width)
    return RandomTable(drawn.view(np.int8).reshape(rows, width))


def _random_bytes(rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Return random bytes, twice as fast as `Generator.bytes`."""
    words: NDArray[np.uint64] = rng.bit_generator.random_raw(-(-count // 8))
    return words.astype("<u8", copy=False).view(np.uint8)[:count]


def _norm(shape: ModelShape, width: int) -> Norm:
    return Norm(np.ones(width, np.float32), model_types().random.norm_epsilon, shape.norm)


def _norms(shape: ModelShape) -> dict[str, Norm]:
    norms = {place: _norm(shape, shape.hidden) for place in ("attention", "ffn")}
    if shape.sub_norm:
        norms |= {
            "attention_sub": _norm(shape, shape.heads * shape.head_dim),
            "ffn_sub": _norm(shape, shape.ffn),
        }
    if shape.post_norm:
        norms |= {place: _norm(shape, shape.hidden) for place in ("attention_post", "ffn_post")}
    if shape.qk_norm:
        norms |= {place: _norm(shape, shape.head_dim) for place in ("query", "key")}
    return norms
