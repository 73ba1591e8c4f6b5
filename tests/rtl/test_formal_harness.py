"""The harness of the proofs itself."""

import pytest
from amaranth.hdl import Signal

from tests.rtl import formal
from tests.rtl.formal import Proof, RefutedError, UnreachedError


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


def without_bits() -> Proof:
    """Nothing is simplified, so that a signal without bits reaches the solver's front end."""
    proof = Proof(constant_registers=True)
    nothing = Signal(range(1), name="nothing")
    proof.m.d.sync += nothing.eq(nothing)
    proof.claim("never", ~proof.free("step"))
    return proof


def test_signals_without_bits_do_not_hide_a_counterexample() -> None:
    with pytest.raises(RefutedError, match="never: refuted from the start"):
        without_bits().check(2)


def test_a_front_end_that_fails_does_not_refute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formal, "SMT2", [each for each in formal.SMT2 if not each.startswith("delete")])
    with pytest.raises(RuntimeError, match="neither proved nor refuted"):
        without_bits().check(2)


def test_conditions_that_are_met_are_told_from_those_that_are_not() -> None:
    for cycles, missed in ((6, "at 6"), (5, "at 5; at 6")):
        proof = Proof()
        count = Signal(3)
        with proof.m.If(proof.free("step") & (count != 5)):
            proof.m.d.sync += count.eq(count + 1)
        for number in (4, 5, 6):
            proof.cover(f"at {number}", count == number)
        with pytest.raises(UnreachedError, match=f"not met in {cycles} cycles: {missed}$"):
            proof.reach(cycles)


def test_conditions_that_are_all_met_are_returned() -> None:
    proof = Proof()
    proof.cover("step", proof.free("step"))
    assert proof.reach(1) == ("step",)
