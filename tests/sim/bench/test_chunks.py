"""A plan in pieces: each case once and in order, and one report of all, to the first case that fails."""

from dataclasses import replace

import pytest

from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.cases import Case
from bitjoule.sim.bench.chunks import CHUNK_CASES, chunks_of, joined
from bitjoule.sim.bench.verification import VerificationReport

REPORTS = [
    VerificationReport(cases=3, matmuls=50, exact_cycles=2, failure=None, cycles=700, seconds=0.25),
    VerificationReport(cases=4, matmuls=60, exact_cycles=1, failure=None, cycles=9000, seconds=0.5),
    VerificationReport(cases=1, matmuls=80, exact_cycles=0, failure=None, cycles=20000, seconds=2.0),
]
FAILURE = {"case": {"name": "wrong"}, "what": "a result"}


@pytest.mark.parametrize("count", [0, 1, CHUNK_CASES, CHUNK_CASES + 1, 3 * CHUNK_CASES - 1])
def test_each_case_is_in_one_piece_in_its_order(count):
    cases = [Case(str(i), (MatmulShape(1, 1, i + 1),)) for i in range(count)]
    pieces = chunks_of(cases)
    assert [case for piece in pieces for case in piece] == cases
    assert [len(piece) for piece in pieces[:-1]] == [CHUNK_CASES] * (len(pieces) - 1)
    assert all(pieces)


def test_reports_add_up_to_the_first_that_fails():
    assert joined(REPORTS) == VerificationReport(8, 190, 3, None, 29700, 2.75)
    second = [REPORTS[0], replace(REPORTS[1], failure=FAILURE), replace(REPORTS[2], failure={"what": "later"})]
    assert joined(second) == VerificationReport(7, 110, 3, FAILURE, 9700, 0.75)
    assert joined(second[1:]) == second[1]
    assert joined(REPORTS).cycles_per_s == pytest.approx(29700 / 2.75)
