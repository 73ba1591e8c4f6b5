"""The decoder that is trained: that of `BitNetForCausalLM` or `LlamaForCausalLM` of transformers, made for training.

The latent weights of all layers are a few tensors, one for each role, which are quantised once a step. Queries, keys
and values are one matmul, and so are gate and up projection: their inputs are rounded once. The two values that a
rotation takes together are neighbours, a complex number; files have them half a head apart.
"""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear, scaled_dot_product_attention, silu

from bitjoule.sim.training.config import VOCABULARY, ActivationValues, TrainConfig
from bitjoule.sim.training.operations import linear_loss, norm_then_round, relu2_gated, turned
from bitjoule.sim.training.quantisers import Blocks, quantised_weights, rounded, straight_through

NORM_EPSILON = 1e-5
ROPE_THETA = 10000.0
EMBEDDING_DEVIATION = 0.02  # transformers' initializer_range
# Matrices of a layer that share their inputs, by role, and the dimension that BitNet's shards divide
ROLES = {
    "attention_in": (("q_proj", "k_proj", "v_proj"), "out_features"),
    "attention_out": (("o_proj",), "in_features"),
    "ffn_in": (("gate_proj", "up_proj"), "out_features"),
    "ffn_out": (("down_proj",), "in_features"),
}
FLOATS: tuple[ActivationValues, ActivationValues] = ("fp16", "fp16")
_TURNED = ("q_proj", "k_proj")
_MODULES = {"q_proj": "self_attn", "k_proj": "self_attn", "v_proj": "self_attn", "o_proj": "self_attn"}


class Decoder(nn.Module):
    """A decoder on bytes.

    Parameters
    ----------
    config
        Of the training; its seed makes the weights, the same ones for every format.
    """

    turns: Tensor

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config, self.shape = config, config.model
        shape, random = self.shape, torch.Generator().manual_seed(config.seed)
        sizes = {name: (rows, columns) for name, rows, columns in shape.matrices}
        self.rows = {role: tuple(sizes[name][0] for name in names) for role, (names, _) in ROLES.items()}
        self.embedding = nn.Parameter(torch.empty(VOCABULARY, shape.hidden))
        nn.init.normal_(self.embedding, std=EMBEDDING_DEVIATION, generator=random)
        self.latent = nn.ParameterDict()  # (layers, out_features of all matrices of the role, in_features)
        for role, (names, _) in ROLES.items():
            columns = sizes[names[0]][1]
            weight = torch.empty(shape.layers, sum(self.rows[role]), columns)
            self.latent[role] = nn.Parameter(nn.init.normal_(weight, std=columns**-0.5, generator=random))
        widths = {"attention_in": shape.hidden, "ffn_in": shape.hidden}
        if shape.sub_norms:
            widths |= {"attention_out": shape.hidden, "ffn_out": shape.ffn}
        self.gains = nn.ParameterDict({role: nn.Parameter(torch.ones(shape.layers, n)) for role, n in widths.items()})
        self.last_gain = nn.Parameter(torch.ones(shape.hidden))
        pairs = shape.head_dim // 2
        frequencies = ROPE_THETA ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
        angles = torch.outer(torch.arange(shape.positions, dtype=torch.float64), frequencies)
        turns = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
        self.register_buffer("turns", turns[:, None], persistent=False)  # (positions, 1, pairs)

    def blocks(self, role: str, rows: int, columns: int) -> Blocks:
        """Return the blocks of a matrix that have a scale each.

        Parameters
        ----------
        role
            Of the matrix.
        rows, columns
            Its out_features and in_features.
        """
        config = self.config
        return Blocks.of(config.weights, (rows, columns), config.group_size, config.shards, ROLES[role][1])

    def quantised(self, role: str) -> Tensor:
        """Return the weights of a role as inference has them, with straight-through gradients: shape of `latent`.

        Parameters
        ----------
        role
            Of `ROLES`.
        """
        latent: Tensor = self.latent[role]
        if self.config.weights == "fp16":
            return latent
        parts, start = [], 0
        for rows, group in groupby(self.rows[role]):  # matrices of one size are quantised together
            count = len(list(group))
            stack = latent[:, start : start + count * rows].unflatten(1, (count, rows))
            blocks = self.blocks(role, rows, latent.shape[-1])
            parts.append(straight_through(stack, self.config.weights, blocks).flatten(1, 2))
            start += count * rows
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def forward(self, tokens: Tensor, floats: bool = False) -> Tensor:
        """Return logits, shape (sequences, length, 256).

        Parameters
        ----------
        tokens
            Bytes, int64, shape (sequences, length).
        floats
            Whether the inputs of linears are left as they are, as in a reader that knows the weights' format alone.
        """
        return linear(self.states(tokens, floats), self.embedding)

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross entropy, in nats, of the bytes that follow.

        Parameters
        ----------
        tokens, targets
            Bytes and those that follow, int64, shape (sequences, length).
        """
        return linear_loss(self.states(tokens), self.embedding, targets)

    def states(self, tokens: Tensor, floats: bool = False) -> Tensor:
        """Return what the LM head multiplies, shape (sequences, length, hidden).

        Parameters
        ----------
        tokens, floats
            As for `forward`.
        """
        shape, (sequences, length) = self.shape, tokens.shape
        outer, inner = self.config.inputs if not floats else FLOATS
        weights = {role: self.quantised(role).unbind(0) for role in ROLES}
        turns = self.turns[:length]
        heads, of_keys = shape.heads, shape.heads_of_keys
        none = (None,) * shape.layers
        gains = {role: self.gains[role].unbind(0) if role in self.gains else none for role in ROLES}
        x = embedding(tokens, self.embedding)
        for layer in range(shape.layers):
            inputs = _input(x, gains["attention_in"][layer], outer)
            together = linear(inputs, weights["attention_in"][layer]).view(sequences, length, -1, shape.head_dim)
            queries, keys, values = turned(together, turns, heads, of_keys)
            mixed = scaled_dot_product_attention(
                queries, keys, values, is_causal=True, enable_gqa=heads != of_keys
            )  # fmt: skip
            mixed = _input(mixed.transpose(1, 2).flatten(2), gains["attention_out"][layer], inner)
            x = x + linear(mixed, weights["attention_out"][layer])
            inputs = _input(x, gains["ffn_in"][layer], outer)
            both = linear(inputs, weights["ffn_in"][layer])
            gated = relu2_gated(both) if shape.activation == "relu2" else _silu_gated(both)
            gated = _input(gated, gains["ffn_out"][layer], inner)
            x = x + linear(gated, weights["ffn_out"][layer])
        return norm_then_round(x, self.last_gain, NORM_EPSILON, "fp16")

    def matrices(self) -> Iterator[tuple[str, Tensor, Tensor | None]]:
        """Yield each linear as files hold it: its full name, codes or floats, and its scales unless it is floats."""
        with torch.no_grad():
            for role, (names, _) in ROLES.items():
                for layer, latent in enumerate(self.latent[role]):
                    for name, weight in zip(names, latent.split(self.rows[role]), strict=True):
                        weight = self._in_halves(weight) if name in _TURNED else weight
                        full = f"model.layers.{layer}.{_MODULES.get(name, 'mlp')}.{name}"
                        if self.config.weights == "fp16":
                            yield full, weight, None
                        else:
                            yield (
                                full,
                                *quantised_weights(weight, self.config.weights, self.blocks(role, *weight.shape)),
                            )

    def _in_halves(self, weight: Tensor) -> Tensor:
        """Return rows whose pairs are neighbours as Hugging Face has them: all first values of a head come first."""
        pairs = weight.unflatten(0, (-1, self.shape.head_dim // 2, 2))
        halves: Tensor = pairs.transpose(1, 2).flatten(0, 2)
        return halves


def zero_share(model: Decoder) -> float | None:
    """Return the share of zeros among the codes of a ternary model; None of another.

    Parameters
    ----------
    model
        Trained or not.
    """
    if model.config.weights != "ternary":
        return None
    zeros = count = 0
    for _, codes, _ in model.matrices():
        zeros += int((codes == 0).sum())
        count += codes.numel()
    return zeros / count


@torch.no_grad()
def round_to_file(model: Decoder) -> None:
    """Round, in place, what the file holds as float16: the matrices of a model whose weights are no codes.

    Parameters
    ----------
    model
        Trained.
    """
    if model.config.weights == "fp16":
        for parameter in (model.embedding, *model.latent.parameters()):
            parameter.copy_(parameter.half())


def _silu_gated(both: Tensor) -> Tensor:
    gate, up = both.chunk(2, dim=-1)
    return silu(gate) * up


def _input(x: Tensor, gain: Tensor | None, values: ActivationValues) -> Tensor:
    """Return the inputs of a linear: normed if it has a norm of its own, and rounded."""
    return rounded(x, values) if gain is None else norm_then_round(x, gain, NORM_EPSILON, values)
