"""The backward pass of a model, as blocks of parts that the system accounting counts like any others.

Of a product y = x W, the gradient of x is that of y times W', and the gradient of W is x' times that of y: as many
multiply-accumulates each as the product itself. Of both products of attention each operand has a gradient.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import (
    At,
    Block,
    Described,
    Elementwise,
    Floats,
    Linear,
    MatmulSizes,
    Part,
    Product,
)
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.energy_models.system.work.workload import Experts, experts_with_tokens

STRAIGHT_THROUGH = frozenset({"quantisation"})  # the gradient of a rounded value is taken for that of the value
OFF_CHIP = 10**15  # live values that no buffer holds: operands and results cross the chip's edge
# The gradient of the probabilities stays on chip for the softmax; so do scores that are computed again.
PROBABILITIES = MatmulKind("gradient of probabilities", "attention", "values", outputs_on_chip=True)


class Blocks(NamedTuple):
    """A pass of a model."""

    blocks: tuple[Block, ...]


class UntrainableError(ValueError):
    """A model has a part whose gradient is not known."""


def gradient_of(function: str, *, recomputed: bool) -> str | None:
    """Return the function that gives the gradient of an element-wise function; none where it passes as it is.

    Parameters
    ----------
    function
        Of data/functions.yaml.
    recomputed
        Whether probabilities of attention are computed again instead of kept.

    Raises
    ------
    UntrainableError
        There is none.
    """
    if function in STRAIGHT_THROUGH:
        return None
    name = "softmax_recomputed" if function == "softmax" and recomputed else f"{function}_gradient"
    if name not in functions():
        raise UntrainableError(f"the gradient of {function!r} is not known")
    return name


def input_gradients(model: Described, *, recomputed: bool) -> Blocks:
    """Return the pass that carries gradients from the loss to the embedding.

    Parameters
    ----------
    model
        The model.
    recomputed
        Whether the scores of attention are computed again (FlashAttention) instead of their probabilities kept.

    Raises
    ------
    UntrainableError
        A part has no gradient here: a recurrent state, a low-rank adapter, a product other than those of attention, an
        element-wise function.

    References
    ----------
    Dao et al., "FlashAttention", arXiv:2205.14135, Algorithm 4 (the backward pass).
    """
    blocks = []
    for block in reversed(model.blocks):
        parts = tuple(_input_gradient(part, recomputed) for part in reversed(block.parts))
        blocks.append(Block(parts, block.repeats, block.layers))
    return Blocks(tuple(blocks))


def weight_gradients(model: Described, experts: Experts = Experts.EXPECTED) -> Blocks:
    """Return the pass that computes the gradient of every matrix, from kept inputs and the gradients of outputs.

    Parameters
    ----------
    model
        The model.
    experts
        How many experts of a mixture have tokens.
    """
    blocks = []
    for block in model.blocks:
        linears = [matmul for part in block.parts for matmul in part.matmuls if isinstance(matmul, Linear)]
        if linears:
            products = tuple(
                Product(each.component, _kind(each), partial(_weight_gradient, each, experts), over_context=False)
                for each in linears
            )
            blocks.append(Block((Part(products, live=OFF_CHIP),), block.repeats, block.layers))
    return Blocks(tuple(blocks))


def _kind(linear: Linear) -> MatmulKind:
    """Return the kind of a linear's gradients: no operand stays on chip because the forward product's does."""
    role = linear.kind.role
    if role == "adapter":
        raise UntrainableError("the gradients of low-rank adapters are not known")
    return {"linear": MatmulKind.LINEAR, "router": MatmulKind.ROUTER}.get(role, MatmulKind.FULL_PRECISION)


def _input_gradient(part: Part, recomputed: bool) -> Part:
    if part.state:
        raise UntrainableError("the gradient of a recurrent state is not known")
    matmuls: list[Linear | Product] = []
    work: list[Elementwise] = []
    for matmul in reversed(part.matmuls):
        if isinstance(matmul, Product):
            matmuls += _attention_gradients(matmul, recomputed)
            continue
        back = matmul._replace(
            in_features=matmul.out_features, out_features=matmul.in_features, bias=False, kind=_kind(matmul),
            stored_as="", inputs=0,
        )  # fmt: skip
        matmuls.append(back)
        width = matmul.out_features * matmul.uses * matmul.rows
        if matmul.bias:
            work.append(Elementwise("bias_gradient", "bias_gradient", partial(_times, width)))
        if matmul.component == "lm_head":
            work.append(Elementwise("loss", "cross_entropy", partial(_times, width)))
    for each in part.elementwise:
        function = gradient_of(each.function, recomputed=recomputed)
        if function is not None:
            work.append(Elementwise(each.component, function, each.elements))
    return Part(
        tuple(matmuls), tuple(work), activations_read=part.activations_read, residual_written=part.residual_written,
        inputs_written=part.inputs_written, live=part.live, alone=part.alone,
    )  # fmt: skip


def _times(width: int, at: At) -> Floats:
    return at.tokens * width


def _attention_gradients(product: Product, recomputed: bool) -> Iterator[Product]:
    """Yield the gradients of both operands, after the product itself where it is computed again."""
    if product.component not in ("attention_scores", "attention_values"):
        raise UntrainableError(f"the gradients of {product.component} are not known")
    turned = {order: partial(_turned, product, order) for order in ("mnk", "kmn")}
    if product.component == "attention_values":
        yield Product("attention_probabilities", PROBABILITIES, turned["mnk"], over_context=False)
        yield Product("attention_values", MatmulKind.VALUES, turned["kmn"], over_context=True)
        return
    if recomputed:
        yield Product("attention_probabilities", PROBABILITIES, product.sizes, over_context=False)
    yield Product("attention_scores", MatmulKind.VALUES, turned["mnk"], over_context=True)
    transposed = partial(_turned, product, "nmk")
    yield Product("attention_scores", MatmulKind.VALUES, transposed, over_context=True)


def _turned(product: Product, order: str, at: At) -> MatmulSizes:
    """Return the sizes of a product with m, k and n in another order."""
    sizes = product.sizes(at)
    by_name = {"m": sizes.m, "k": sizes.k, "n": sizes.n}
    m, k, n = (by_name[name] for name in order)
    return MatmulSizes(m, k, n, sizes.times)


def _weight_gradient(linear: Linear, experts: Experts, at: At) -> MatmulSizes:
    """Return the sizes of x' dy: a row for each input, a column for each output, a sum over the tokens."""
    rows, times = at.rows * linear.rows, at.repeats
    if linear.copies > 1:
        copies, uses = (np.full_like(rows, value) for value in (linear.copies, linear.uses))
        run = experts_with_tokens(copies, uses, rows, experts)
        rows, times = rows * linear.uses / run, times * run
    return MatmulSizes(np.full_like(rows, linear.out_features), rows, np.full_like(rows, linear.in_features), times)
