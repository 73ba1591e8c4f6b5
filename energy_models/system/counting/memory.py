"""The memory that a request needs: weights, tables, KV cache and states, activations."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.layout import Layout
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.workload import RequestWork

BITS_PER_BYTE = 8


class Bytes(NamedTuple):
    """Memory that a request needs, by content; shape (cases,) each.

    Parameters
    ----------
    weights_bytes
        The linears' weights, norms and biases.
    tables_bytes
        Embedding and, unless it is the same table, LM head.
    kv_cache_bytes
        Of the KV cache and of recurrent states, at the end of the request.
    activations_bytes
        At their peak.
    adapters_bytes
        Low-rank adapters.
    """

    weights_bytes: Floats
    tables_bytes: Floats
    kv_cache_bytes: Floats
    activations_bytes: Floats
    adapters_bytes: Floats

    @property
    def total(self) -> Floats:
        """All of it."""
        first = self.weights_bytes + self.tables_bytes + self.kv_cache_bytes + self.activations_bytes
        return first + self.adapters_bytes


def needed_bytes(
    layout: Layout, model: Indices, work: RequestWork, machines: Sequence[Machine], machine_index: Indices
) -> Bytes:
    """Return the memory of cases.

    Parameters
    ----------
    layout, model
        Of the models; each case's, shape (cases,).
    work
        Of the cases.
    machines, machine_index
        The machines, and the index of each case's.
    """
    values = {name: stored[model] for name, stored in layout.stored.items()}
    bits = [
        (*(machine.scheme.stored(part).bits for part in ("weight_storage", "embedding", "lm_head")),
         machine.scheme.cached_bits, machine.scheme.stored("adapter").bits,
         machine.vector_bits, width_bits(machine.scheme.activations))
        for machine in machines
    ]  # fmt: skip
    weights, table, head, cached, adapter, vector, width = (
        np.array(column, dtype=np.float64)[machine_index] for column in zip(*bits, strict=True)
    )
    stored_bits = values["weights"] * weights + values["other"] * vector
    for name, held in layout.own_stored.items():
        own = [machine.scheme.linear(name).storage.bits for machine in machines]
        stored_bits = stored_bits + held[model] * (np.array(own)[machine_index] - weights)
    table_bits = values["embedding"] * table + values["lm_head"] * head
    standalone = layout.standalone[model]
    standalone_values = work.sizes.m * (work.sizes.k + work.sizes.n) * standalone[:, None, None]
    live_bits = (
        np.maximum(work.live.max(axis=(1, 2)), work.logits) * vector + standalone_values.sum(axis=(1, 2)) * width
    )
    kept_bits = work.kept * cached + work.states * vector
    total_bits = (stored_bits, table_bits, kept_bits, live_bits, values["adapters"] * adapter)
    return Bytes(*(each / BITS_PER_BYTE for each in total_bits))
