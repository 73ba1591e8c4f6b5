"""The harness of the proofs itself."""

import pytest
from amaranth.hdl import Signal

from tests.rtl.formal import Proof, RefutedError


def counter() -> Proof:
    proof = Proof()
    count = Signal(3)
    with proof.m.If(proof.free("step") & (count != 5)):
        proof.m.d.sync += count.eq(count + 1)
    proof.show("count", count)
    proof.claim("below 5", count < 5)
    proof.claim("not 7", count != 7)
    return proof


def test_counterexample_says_what_happens_from_the_start() -> None:
    with pytest.raises(RefutedError) as refuted:
        counter().check(6)
    assert refuted.value.claims == ("below 5",)
    lines = str(refuted.value).splitlines()
    assert lines[0] == "below 5: refuted from the start"
    assert lines[1] == "cycle 0: reset=0 step=1 count=0"
    assert lines[-1].startswith("cycle 5:")
    assert lines[-1].endswith("count=5")


def test_bounded_check_ends_where_it_says() -> None:
    counter().check(5)


def test_induction_does_not_start_from_reachable_states_only() -> None:
    proof = counter()
    with pytest.raises(RefutedError, match="out of reach"):
        proof.prove(3)


def test_unknown_signal_inside_the_hardware_is_an_error() -> None:
    proof = counter()
    proof.inside("dut.absent", 1)
    with pytest.raises(RuntimeError, match=r"dut\.absent"):
        proof.check()
