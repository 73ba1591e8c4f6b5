"""Rows of the long table and of components, against each case alone."""

import numpy as np
import pytest

from bitjoule.experiments.energy import blocks
from bitjoule.experiments.energy.blocks import CATEGORIES
from bitjoule.experiments.energy.evaluation import evaluate_cases, evaluate_system
from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.tables.components import component_rows, components
from bitjoule.experiments.output.columns import BOUND_COLUMNS, UTILISATION_COLUMNS

TEXT = """\
name: x
accounting: system
models: [bitnet-125m, mamba-130m]
schemes: [fp16, bitnet-b1.58]
technologies: [45nm, 7nm]
platforms: [PLATFORMS]
workload: {prompt_tokens: [40, 3], new_tokens: NEW}
"""
PLAIN = "fp16-hbm, fp16-edge"
REGULATED = "{name: regulated, like: fp16-edge, regulator: {efficiency: {low: 0.8, nominal: 0.9, high: 0.95}}}"
SHARED, APART = "{start: 1, stop: 10, step: 1}", "[0, 5, 9]"  # neighbours are alike, or every third case is


@pytest.fixture(params=[(PLAIN, SHARED), (PLAIN, APART), (REGULATED, SHARED)], ids=["runs", "apart", "regulated"])
def grid(request, resolved):
    platforms, new_tokens = request.param
    return grid_of(resolved(TEXT.replace("PLATFORMS", platforms).replace("NEW", new_tokens)))


def test_a_block_has_the_columns_that_count_of_each_case_in_turn(grid, monkeypatch):
    cases = np.arange(3, len(grid) - 1)
    block, whole = evaluate_cases(grid, cases).block, evaluate_system(grid, cases)
    by_column = {"format": whole.formats, "price": whole.price_keys, "times": whole.counts}
    by_column |= zip(("energy_low_pj", "energy_pj", "energy_high_pj"), whole.energies, strict=True)
    begin = 0
    for number, case in enumerate(cases.tolist()):
        counted = np.flatnonzero(whole.counts[number])
        rows = slice(begin, begin := begin + len(counted))
        assert (block.case[rows] == case).all()
        columns = [grid.system.columns[i] for i in counted.tolist()]
        for name, categories in CATEGORIES.items():
            assert [categories[i] for i in getattr(block, name)[rows]] == [getattr(one, name) for one in columns]
        for name, expected in by_column.items():
            assert getattr(block, name)[rows].tolist() == expected[number, counted].tolist()
    assert begin == len(block.case) > 0
    for few in (1, len(cases) + 1):  # each run of neighbours by itself, or all that are alike together
        monkeypatch.setattr(blocks, "FEW", few)
        for ours, expected in zip(evaluate_cases(grid, cases).block, block, strict=True):
            assert ours.tobytes() == expected.tobytes()
            assert ours.dtype == expected.dtype


def test_components_have_the_bits_of_each_case_in_turn(grid):
    cases = np.arange(3, len(grid) - 1)
    evaluated = evaluate_cases(grid, cases)
    table, block, times = component_rows(evaluated), evaluated.block, evaluate_system(grid, cases).times
    names, timed = CATEGORIES["component"], components(grid.system.layout)
    rows = table.to_dict("list")
    place = 0
    for number, case in enumerate(cases.tolist()):
        for phase in range(times.macs.shape[1]):
            energies = {"energy_low": {}, "energy": {}, "energy_high": {}}
            for i in np.flatnonzero((block.case == case) & (block.phase == phase)):
                for end, sums in energies.items():
                    name = names[block.component[i]]
                    sums[name] = sums.get(name, 0.0) + getattr(block, f"{end}_pj")[i]
            for name in names:
                at = timed.index(name) if name in timed else None
                seconds = [0.0] * len(BOUND_COLUMNS) if at is None else times.seconds[number, phase, at].tolist()
                time_s = sum(seconds)
                if time_s == 0 and not energies["energy_high"].get(name):
                    continue
                assert (rows["component"][place], rows["phase"][place]) == (name, CATEGORIES["phase"][phase])
                assert [rows[column][place] for column in BOUND_COLUMNS] == seconds
                assert rows["time_s"][place] == time_s
                for end, sums in energies.items():
                    assert rows[f"{end}_j"][place] == sums.get(name, 0.0) / 1e12
                macs = times.macs[number, phase, at] if at is not None and at < times.macs.shape[2] else 0.0
                assert rows["macs"][place] == macs
                busy = [0.0] * len(UTILISATION_COLUMNS) if time_s == 0 else times.busy[number, phase, at].tolist()
                shares = [min(of_resource / time_s, 1.0) if time_s else 0.0 for of_resource in busy]
                assert [rows[column][place] for column in UTILISATION_COLUMNS] == shares
                place += 1
    assert place == len(table) > 0
