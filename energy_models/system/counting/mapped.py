"""The distinct matmuls of cases, mapped: what each moves, how long it takes, and what bounds it."""

from collections import defaultdict
from collections.abc import Mapping as Lookup
from collections.abc import Sequence
from typing import Any

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.system.counting.columns import OF_WEIGHTS, QUANTITIES
from bitjoule.energy_models.system.counting.quantities import quantities
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.batch_search import Tried, best_mappings, searched_together
from bitjoule.energy_models.system.mappings.batches import shared_key
from bitjoule.energy_models.system.mappings.bounds import BOUNDS, matmul_bounds
from bitjoule.energy_models.system.mappings.mapping import MatmulProblem, Objective
from bitjoule.energy_models.system.mappings.search import search
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
    results = np.empty((len(rows), WIDTH))
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    problems: list[MatmulProblem] = []
    shares = np.ones(len(rows))
    for i, (code, index, m, k, n, resident, reserved_bits, *distinct) in enumerate(rows.tolist()):
        machine, kind = machines[int(code)], kinds[int(index)]
        problem = machine.problem(kind, m, k, n, bool(resident), reserved_bits, *distinct)
        problems.append(problem)
        shares[i] = machine.density(kind).weight_share(m)
        groups[id(machine.array(kind)[0]), *shared_key(problem)].append(i)
    for members in groups.values():
        code, index = rows[members[0], :2].astype(int).tolist()
        array = machines[code].array(kinds[index])[0]
        together = []
        for i in members:
            if len(members) > FEW and searched_together(problems[i]):
                together.append(i)
                continue
            mapping = search(problems[i], objective)
            if mapping is not None:
                moved = quantities(array, problems[i], mapping)
                results[i] = np.concatenate([moved, matmul_bounds(problems[i], mapping.traffic)])
            _check(mapping is not None, rows[i], machines)
        if not together:
            continue
        problem, mappings, mapped = best_mappings(Tried.of([problems[i] for i in together]), objective)
        if len(mapped) < len(together):
            missing = np.setdiff1d(np.arange(len(together)), mapped)
            _check(False, rows[together[missing[0]]], machines)
        moved = quantities(array, problem, mappings)
        results[together] = np.concatenate([moved, matmul_bounds(problem, mappings.traffic)], axis=1)
    results[:, : len(QUANTITIES)] *= np.where(OF_WEIGHTS, shares[:, None], 1.0)
    return results


def _check(mapped: bool, row: Floats, machines: Lookup[int, Machine]) -> None:
    if not mapped:
        code, _, m, k, n, *_ = row.tolist()
        raise ValueError(f"no tile of {m:g} x {k:g} x {n:g} fits platform {machines[int(code)].name}")
