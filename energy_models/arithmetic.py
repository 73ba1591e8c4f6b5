"""How many operations a pass takes, counted as the papers count them.

Two conventions, both without memory, embedding, LM head, softmax, norms, rotary embedding, residuals or activation
functions (the third, ``system``, is `bitjoule.energy_models.system`):

``arithmetic``
    BitNet's [1]_: a dot product of n terms is n multiplications and n − 1 additions, a bias one more addition. A
    quantised linear of m rows multiplies m·n activations and m·p outputs by scales; additions alone do the product if
    the weights are ±1 or trits. Both attention products stay in the scheme's attention format, over every pair of the
    T x T square.
``mac``
    One multiplication and one addition for every multiply-accumulate of linears and attention, the addition alone for
    ±1 and ternary weights (b1.58's Figure 3, left [2]_). No scales, no biases.

Decoding follows the same rules token by token: token i of ``new_tokens`` attends to ``prompt_tokens`` + i positions.

References
----------
.. [1] Wang et al., "BitNet: Scaling 1-bit Transformers for Large Language Models", arXiv:2310.11453, Table 1.
.. [2] Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", arXiv:2402.17764, Figure 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.formats.formats import add_only
from bitjoule.energy_models.models import Linear
from bitjoule.energy_models.schemes import Scheme

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


class Accounting(StrEnum):
    """What is counted."""

    ARITHMETIC = "arithmetic"
    MAC = "mac"
    SYSTEM = "system"


LINEARS = ("matmul", "q_proj", "k_proj", "v_proj", "o_proj", "ffn_router", "ffn_gate", "ffn_up", "ffn_down")
ATTENTION = (("attention_scores", "keys"), ("attention_values", "values"))
COMPONENTS = (*LINEARS[:4], "attention_scores", "attention_values", *LINEARS[4:])  # in the order a block runs them
OPERANDS = ("weights", "keys", "values", "partial_sums", "biases", "activations", "outputs")
OPERATIONS = ("mul", "add")


class Phase(StrEnum):
    """The whole prompt at once, or one token at a time."""

    PREFILL = "prefill"
    DECODE = "decode"


class Countable(Protocol):
    """What counting needs to know of a model; `ModelShape` and `Matmul` have it."""

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The weight matrices of one block."""

    @property
    def layers(self) -> int:
        """Blocks."""

    @property
    def heads(self) -> int:
        """Query heads; 0 for no attention."""

    @property
    def head_dim(self) -> int:
        """Width of one head."""


@dataclass(frozen=True)
class Matmul:
    """A bare matrix product (M, K) @ (K, N), counted like one linear without a bias.

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features.
    """

    m: int
    k: int
    n: int
    layers: int = 1
    heads: int = 0
    head_dim: int = 0
    family: str = ""

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The one product."""
        return (Linear("matmul", self.k, self.n, bias=False, uses=1),)

    @property
    def parameters(self) -> int:
        """Values of the weight matrix."""
        return self.k * self.n


class Cases(NamedTuple):
    """What to count, one entry a case: indices into the models and schemes, and the workload."""

    model: Indices
    scheme: Indices
    batch: Floats
    prompt_tokens: Floats
    new_tokens: Floats


class Action(NamedTuple):
    """One kind of operation in one place; its number format, and the weights', depend on the scheme."""

    phase: Phase
    component: str
    operand: str
    action: str
    formats: tuple[str, ...]
    weights: tuple[str, ...]


@dataclass(frozen=True)
class Counts:
    """How often each action happens in each case.

    Parameters
    ----------
    actions
        The columns of `count`; ``formats`` has one entry a scheme.
    count
        Shape (cases, actions), exact integers up to 2**53.
    """

    actions: tuple[Action, ...]
    count: Floats


class _Dimensions(NamedTuple):
    """One linear of every model; zeros where a model has none. Shape (models,) each."""

    in_features: Floats
    out_features: Floats
    bias: Floats
    uses: Floats


def count(
    models: Sequence[Countable], schemes: Sequence[Scheme], cases: Cases, accounting: Accounting = Accounting.ARITHMETIC
) -> Counts:
    """Count the operations of every case, by component and operand.

    Parameters
    ----------
    models, schemes
        What `cases` indexes.
    cases
        Arrays of shape (cases,).
    accounting
        ``arithmetic`` or ``mac``.

    Returns
    -------
    Counts
        Actions that are zero in every case are left out.
    """
    counter = _Counter(tuple(schemes), cases.scheme, accounting)
    layers = _gather([m.layers for m in models], cases.model)
    heads = _gather([m.heads for m in models], cases.model)
    head_dim = _gather([m.head_dim for m in models], cases.model)
    linears = {name: _Dimensions(*(v[cases.model] for v in values)) for name, values in _by_component(models).items()}
    batch, prompt, new = cases.batch, cases.prompt_tokens, cases.new_tokens

    for phase in Phase:
        if phase is Phase.PREFILL:
            rows, pairs = batch * prompt, batch * prompt * prompt
        else:
            rows, pairs = batch * new, batch * (new * prompt + new * (new + 1) / 2)
        if not rows.any():
            continue
        for component, linear in linears.items():
            if component == "o_proj" and heads.any():
                for product, operand in ATTENTION:
                    counter.attention(phase, product, operand, pairs * heads * layers, head_dim)
            counter.linear(phase, component, rows * layers * linear.uses, linear)
    return counter.counts()


def _gather(values: Sequence[int], index: Indices) -> Floats:
    return np.array(values, dtype=np.float64)[index]


def _by_component(models: Sequence[Countable]) -> dict[str, _Dimensions]:
    """Return each linear's dimensions over all models, in the order a block runs them."""
    table = np.zeros((len(LINEARS), 4, len(models)))
    for i, model in enumerate(models):
        for linear in model.linears:
            values = (linear.in_features, linear.out_features, linear.bias, linear.uses)
            table[LINEARS.index(linear.component), :, i] = values
    return {name: _Dimensions(*row) for name, row in zip(LINEARS, table, strict=True) if row.any()}


class _Counter:
    """Collects actions; a scheme decides which of them happen and in which format."""

    def __init__(self, schemes: tuple[Scheme, ...], scheme: Indices, accounting: Accounting) -> None:
        self.scheme = scheme
        self.mac_only = accounting is Accounting.MAC
        self.weight_formats = tuple(s.weights for s in schemes)
        self.key_formats = tuple(s.attention_operands[0] for s in schemes)
        self.attention_formats = tuple(s.attention_operands[1] for s in schemes)
        self.attention_multiplies = _gather([not add_only(s.attention) for s in schemes], scheme)
        self.product_formats = tuple(s.activations for s in schemes)
        self.rescale_formats = tuple(s.rescale or s.activations for s in schemes)
        self.multiplies = _gather([s.multiplies for s in schemes], scheme)
        self.quantises = _gather([s.quantised and s.quantises_activations for s in schemes], scheme)
        self.rescales = _gather([s.quantised for s in schemes], scheme)
        self.columns: list[tuple[Action, Floats]] = []

    def add(self, action: Action, count: Floats) -> None:
        if count.any():
            self.columns.append((action, count))

    def dot_products(self, action: Action, outputs: Floats, terms: Floats, multiplies: Floats | int) -> None:
        """Count `outputs` dot products of `terms` terms; `action` is the multiplication."""
        self.add(action, outputs * terms * multiplies)
        additions = outputs * (terms if self.mac_only else np.maximum(terms - 1, 0))
        self.add(action._replace(operand="partial_sums", action="add"), additions)

    def attention(self, phase: Phase, component: str, operand: str, outputs: Floats, head_dim: Floats) -> None:
        # BitNet's table prices both products alike, with head_dim - 1 additions for each query-key pair.
        action = Action(phase, component, operand, "mul", self.attention_formats, self.key_formats)
        self.dot_products(action, outputs, head_dim, self.attention_multiplies)

    def linear(self, phase: Phase, component: str, rows: Floats, linear: _Dimensions) -> None:
        router = component == "ffn_router"  # stays in high precision, as the attention does
        formats = self.attention_formats if router else self.product_formats
        of_weights = formats if router else self.weight_formats
        weights = Action(phase, component, "weights", "mul", formats, of_weights)
        outputs = rows * linear.out_features
        self.dot_products(weights, outputs, linear.in_features, 1 if router else self.multiplies)
        if router or self.mac_only:
            return
        rescale = Action(phase, component, "biases", "add", self.rescale_formats, self.weight_formats)
        self.add(rescale, outputs * linear.bias)
        rescale = rescale._replace(action="mul")
        self.add(rescale._replace(operand="activations"), rows * linear.in_features * self.quantises)
        self.add(rescale._replace(operand="outputs"), outputs * self.rescales)

    def counts(self) -> Counts:
        values = [column for _, column in self.columns]
        table = np.stack(values, axis=1) if values else np.zeros((len(self.scheme), 0))
        return Counts(tuple(action for action, _ in self.columns), table)
