"""How many operations a pass takes, counted as the papers count them.

Two conventions, both without memory, embedding, LM head, softmax, norms, rotary embedding, residuals or activation
functions (the third, ``system``, is `bitjoule.energy_models.system.system`):

``arithmetic``
    BitNet's [1]_: a dot product of n terms is n multiplications and n − 1 additions, a bias one more addition. A
    quantised linear of m rows multiplies m·n activations and m·p outputs by scales; additions alone do the product if
    the weights are ±1 or trits. Both attention products stay in the scheme's attention format, over every pair of the
    T x T square.
``mac``
    One multiplication and one addition for every multiply-accumulate of linears and attention, the addition alone for
    ±1 and ternary weights (b1.58's Figure 3, left [2]_). No scales, no biases.

A scheme's own formats of some linears and its planes count; groups, rotations and skipped zeros are left out.

Decoding follows the same rules token by token: token i of ``new_tokens`` attends to ``prompt_tokens`` + i positions.

References
----------
.. [1] Wang et al., "BitNet: Scaling 1-bit Transformers for Large Language Models", arXiv:2310.11453, Table 1.
.. [2] Ma et al., "The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits", arXiv:2402.17764, Figure 3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import At, Block, Described, Linear, Part, Product, all_matmuls
from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.architecture.phases import PHASES, Cases, Floats, Indices, Phase, Steps
from bitjoule.energy_models.formats.formats import add_only
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.system.work.steps import MatmulKind


class Accounting(StrEnum):
    """What is counted."""

    ARITHMETIC = "arithmetic"
    MAC = "mac"
    SYSTEM = "system"


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
    family: str = ""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The one product."""
        return (Block((Part((Linear("matmul", self.k, self.n, bias=False, uses=1, kind=MatmulKind.STANDALONE),)),)),)

    @property
    def parameters(self) -> int:
        """Values of the weight matrix."""
        return self.k * self.n


class Action(NamedTuple):
    """One kind of operation in one place; its number format and that of the weights depend on the scheme."""

    phase: str
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
    """One linear of every model; zeros where a model has none. Shape (models,) each, then (cases,)."""

    in_features: Floats
    out_features: Floats
    bias: Floats
    uses: Floats
    inputs: Floats


def count(
    models: Sequence[Described],
    schemes: Sequence[Scheme],
    cases: Cases,
    accounting: Accounting = Accounting.ARITHMETIC,
    phases: Sequence[Phase] = PHASES,
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
    phases
        What a request consists of.

    Returns
    -------
    Counts
        Actions that are zero in every case are left out.
    """
    counter = _Counter(tuple(schemes), cases.scheme, accounting)
    matmuls = [_by_component(model.blocks) for model in models]
    for phase in phases:
        steps = phase.steps(cases)
        at = _at(cases, steps)
        if not at.tokens.any():
            continue
        for component in _in_order(matmuls):
            occurrences = max(len(by_component.get(component, ())) for by_component in matmuls)
            for i in range(occurrences):  # blocks that differ
                entries = [
                    by_component[component][i] if i < len(by_component.get(component, ())) else None
                    for by_component in matmuls
                ]
                kind = next(entry[0].kind for entry in entries if entry is not None)
                if any(entry is not None and isinstance(entry[0], Product) for entry in entries):
                    counter.product(phase.name, component, kind, *_pairs(entries, at, cases.model))
                else:
                    linear = _Dimensions(*(values[cases.model] for values in _dimensions(entries)))
                    counter.linear(phase.name, component, kind, at.tokens[:, 0], linear)
    return counter.counts()


def _at(cases: Cases, steps: Steps) -> At:
    """Return where the papers take closed forms: over every pair, without scales of their own; shape (cases, 1)."""
    batch = cases.batch
    rows, zeros = batch * steps.tokens, np.zeros_like(batch)
    values = (
        batch, rows, steps.context, steps.tokens, steps.repeats, rows * steps.repeats, zeros, zeros, zeros, zeros,
    )  # fmt: skip
    return At(*(column[:, None] for column in values))


_Entry = tuple[Linear | Product, int]


def _by_component(blocks: Sequence[Block]) -> dict[str, list[_Entry]]:
    """Return the matmuls that the papers count, by component: all but the LM head."""
    entries: dict[str, list[_Entry]] = {}
    for matmul, repeats in all_matmuls(blocks):
        if matmul.kind.role != "head":
            entries.setdefault(matmul.component, []).append((matmul, repeats))
    return entries


def _in_order(models: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the components of some models, in the order a block runs them."""
    present = dict.fromkeys(component for model in models for component in model)
    listed = names("matmul")
    return [*(name for name in listed if name in present), *(name for name in present if name not in listed)]


def _dimensions(entries: Sequence[_Entry | None]) -> _Dimensions:
    table = np.zeros((5, len(entries)))
    for i, entry in enumerate(entries):
        linear, repeats = entry or (None, 0)
        if isinstance(linear, Linear):
            uses = linear.uses * linear.rows * repeats
            inputs = (linear.inputs or linear.taken) * repeats
            table[:, i] = linear.in_features, linear.out_features, linear.bias, uses, inputs
    return _Dimensions(*table)


def _pairs(entries: Sequence[_Entry | None], at: At, model: Indices) -> tuple[Floats, Floats]:
    """Return how many dot products are counted, one a query-key pair and head, and their terms; shape (cases,) each."""
    outputs, terms = np.zeros(len(model)), np.zeros(len(model))
    for i in np.unique(model).tolist():
        entry = entries[i]
        if entry is not None and isinstance(entry[0], Product):
            chosen = np.flatnonzero(model == i)
            m, k, n, times = (v[:, 0] for v in entry[0].sizes(At(*(column[chosen] for column in at))))
            context, terms[chosen] = (k, n) if entry[0].over_context else (n, k)
            outputs[chosen] = m * context * (times * entry[1])
    return outputs, terms


class _Counter:
    """Collects actions; the scheme decides which actions happen, and their formats."""

    def __init__(self, schemes: tuple[Scheme, ...], scheme: Indices, accounting: Accounting) -> None:
        self.scheme, self.schemes = scheme, schemes
        self.mac_only = accounting is Accounting.MAC
        self.adapter_formats = tuple(s.vector for s in schemes)
        self.adapter_weights = tuple(s.stored("adapter").holds for s in schemes)
        self.key_formats = tuple(s.attention_operands[0] for s in schemes)
        self.attention_formats = tuple(s.attention_operands[1] for s in schemes)
        self.attention_multiplies = _gather([not add_only(s.attention) for s in schemes], scheme)
        self.rescale_formats = tuple(s.rescale or s.activations for s in schemes)
        self.quantises = _gather([s.quantised and s.quantises_activations for s in schemes], scheme)
        self.rescales = _gather([s.quantised for s in schemes], scheme)
        self.columns: dict[Action, Floats] = {}

    def add(self, action: Action, count: Floats) -> None:
        if count.any():
            self.columns[action] = self.columns[action] + count if action in self.columns else count

    def dot_products(self, action: Action, outputs: Floats, terms: Floats, multiplies: Floats | int) -> None:
        """Count `outputs` dot products of `terms` terms; `action` is the multiplication."""
        self.add(action, outputs * terms * multiplies)
        additions = outputs * (terms if self.mac_only else np.maximum(terms - 1, 0))
        self.add(action._replace(operand="partial_sums", action="add"), additions)

    def product(self, phase: str, component: str, kind: MatmulKind, outputs: Floats, terms: Floats) -> None:
        # BitNet's table prices both products alike, with head_dim - 1 additions for each query-key pair.
        action = Action(phase, component, kind.operand, "mul", self.attention_formats, self.key_formats)
        self.dot_products(action, outputs, terms, self.attention_multiplies)

    def linear(self, phase: str, component: str, kind: MatmulKind, tokens: Floats, linear: _Dimensions) -> None:
        # A router stays in high precision, as the attention does; adapters and first and last layers of images have
        # formats of their own.
        used = [scheme.linear(component) for scheme in self.schemes]
        own = {
            "router": (tuple(scheme.routed for scheme in self.schemes),) * 2,
            "full_precision": (self.rescale_formats, self.rescale_formats),
            "adapter": (self.adapter_formats, self.adapter_weights),
        }.get(kind.role)
        usual = tuple(each.activations for each in used), tuple(each.weights for each in used)
        formats, weight_formats = own or usual
        multiplies = _gather([not add_only(name) for name in weight_formats], self.scheme)
        planes = _gather([1 if own else each.storage.planes for each in used], self.scheme)
        weights = Action(phase, component, "weights", "mul", formats, weight_formats)
        outputs = tokens * linear.uses * linear.out_features
        self.dot_products(weights, outputs, linear.in_features * planes, multiplies)
        if own or self.mac_only:
            return
        rescale = Action(phase, component, "biases", "add", self.rescale_formats, weight_formats)
        self.add(rescale, outputs * linear.bias)
        rescale = rescale._replace(action="mul")
        self.add(rescale._replace(operand="activations"), tokens * linear.inputs * self.quantises)
        self.add(rescale._replace(operand="outputs"), outputs * self.rescales * planes)

    def counts(self) -> Counts:
        table = np.stack(list(self.columns.values()), axis=1) if self.columns else np.zeros((len(self.scheme), 0))
        return Counts(tuple(self.columns), table)


def _gather(values: Sequence[int], index: Indices) -> Floats:
    return np.array(values, dtype=np.float64)[index]
