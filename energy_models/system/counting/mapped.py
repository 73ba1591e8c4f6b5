"""The distinct matmuls of cases, mapped: what each moves, how long it takes, and what bounds it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Lookup
from typing import Any

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.system.counting.columns import OF_WEIGHTS, QUANTITIES
from bitjoule.energy_models.system.counting.quantities import quantities
from bitjoule.energy_models.system.counting.row_table import distinct_rows
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batch_search import best_mapping, best_mappings, searched_together
from bitjoule.energy_models.system.mappings.batches import Batch, shared_key
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, matmul_bounds
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.array_schema import Array
from bitjoule.energy_models.system.work.steps import MatmulKind

TIMES = 3  # of a matmul: its cycles, compute cycles and off-chip bits; after them, its cycles by what bounds them
WIDTH = len(QUANTITIES) + TIMES + len(BOUNDS)
FEW = 4  # matmuls that are searched one by one: these searches are remembered, and no slower than one together


def map_matmuls(
    rows: Floats, machines: Lookup[int, Machine], kinds: Sequence[MatmulKind], objective: Objective
) -> Floats:
    """Return the quantities of matmuls, their cycles, compute cycles and off-chip bits, and their cycles by bound.

    Parameters
    ----------
    rows
        Number of the machine, index of the kind, m, k, n, whether activations are resident, the bits of the buffer that
        they take and, if any differ, the share of distinct activations; shape (matmuls, columns).
    machines
        By number.
    kinds
        What matmuls are for.
    objective
        What mappings are chosen for.

    Raises
    ------
    ValueError
        No tile of a matmul fits: the platform's own check keeps this from happening.
    """
    results, shares = np.empty((len(rows), WIDTH)), np.ones(len(rows))
    groups: dict[tuple[Any, ...], list[tuple[Indices, Batch, Array]]] = defaultdict(list)
    for members in _alike(rows[:, [0, 1, 5]]):
        code, index, resident = rows[members[0], [0, 1, 5]].astype(int).tolist()
        machine, kind = machines[code], kinds[index]
        array, density = machine.array(kind)[0], machine.density(kind)
        for numbers, batch in _batches(machine, kind, bool(resident), members, rows[members]):
            groups[id(array), *shared_key(batch.static)].append((numbers, batch, array))
            if density.inputs != 1:  # one number of rows
                shares[numbers] = density.weight_share(batch.static.m)
    for parts in groups.values():
        numbers, array = np.concatenate([part[0] for part in parts]), parts[0][2]
        batch = Batch.joined([part[1] for part in parts])
        together = searched_together(batch) if len(numbers) > FEW else np.zeros(len(numbers), dtype=np.bool_)
        for i in np.flatnonzero(~together).tolist():
            problem = batch.one(i)
            mapping = best_mapping(problem, objective)
            if mapping is not None:
                moved = quantities(array, problem, mapping)
                results[numbers[i]] = np.concatenate([moved, matmul_bounds(problem, mapping.traffic)])
            _check(mapping is not None, rows[numbers[i]], machines)
        if not together.any():
            continue
        if not together.all():
            numbers, batch = numbers[together], batch.of_numbers(np.flatnonzero(together))
        of_mapped, mappings, mapped = best_mappings(batch, objective)
        if len(mapped) < len(numbers):
            _check(False, rows[np.delete(numbers, mapped).min()], machines)
        moved = quantities(array, of_mapped, mappings)
        results[numbers] = np.concatenate([moved, matmul_bounds(of_mapped, mappings.traffic)], axis=1)
    results[:, : len(QUANTITIES)] *= np.where(OF_WEIGHTS, shares[:, None], 1.0)
    return results


def _alike(rows: Floats) -> list[Indices]:
    """Return the numbers of equal rows, together."""
    first, kind = distinct_rows(rows)
    return np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind, minlength=len(first)))[:-1])


def _batches(
    machine: Machine, kind: MatmulKind, resident: bool, numbers: Indices, rows: Floats
) -> Iterator[tuple[Indices, Batch]]:
    """Yield the matmuls of a kind, with their numbers, that have one `shared_key`.

    Parameters
    ----------
    machine, kind, resident, rows
        As for `map_matmuls`.
    numbers
        Of the rows.
    """
    m, k, n = rows[:, 2:5].T
    opened: list[float | None] = [None]
    opening = np.zeros(len(rows), dtype=np.intp)  # index of the bytes of DRAM rows that are opened for each
    if machine.dram is not None:
        first, size = distinct_rows(rows[:, 3:5])
        of_sizes = [machine.opened_bytes(kind, *each) for each in rows[first, 3:5].tolist()]
        opened = list(dict.fromkeys(of_sizes))
        opening = np.array([opened.index(each) for each in of_sizes])[size]
    of_m = np.minimum(m, 2) if machine.density(kind).inputs == 1 else m  # whose costs depend on m
    for members in _alike(np.stack([opening, of_m], axis=1)):
        template = machine.problem_template(kind, resident, opened[opening[members[0]]])
        distinct = rows[members, 7] if rows.shape[1] > 7 else np.ones(len(members))
        yield (
            numbers[members],
            Batch.filled(template.filled(m[members], k[members], n[members], rows[members, 6], distinct)),
        )


def _check(mapped: bool, row: Floats, machines: Lookup[int, Machine]) -> None:
    if not mapped:
        code, _, m, k, n, *_ = row.tolist()
        raise ValueError(f"no tile of {m:g} x {k:g} x {n:g} fits platform {machines[int(code)].name}")
