"""Each claim against hardware with a fault: a proof that cannot fail proves nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Module, Value

from bitjoule.rtl import accelerator, weights
from bitjoule.rtl.arithmetic import alignment, column, dot_product, reduction
from bitjoule.rtl.config import DATAPATHS, AcceleratorConfig
from tests.rtl import claims
from tests.rtl.claims import (
    alignment_of,
    decoder,
    decoder_of_signs,
    dot,
    integer_column,
    integer_dot,
    one_column,
    small,
)
from tests.rtl.formal import Proof, RefutedError
from tests.rtl.streams import Streams
from tests.rtl.test_formal import ACCELERATORS, NUMBERS
from tests.sampling import one_of_each, sampled


def break_hardware(patch: pytest.MonkeyPatch, module: Any, name: str, change: Callable[[Any, Module], Any]) -> None:
    """Replace a component by one with further assignments: Amaranth's last one wins."""
    whole = getattr(module, name)

    class Broken(whole):
        def elaborate(self, platform: object) -> Module:
            m = super().elaborate(platform)
            m.d.comb += change(self, m)
            return m

    patch.setattr(module, name, Broken)


FAULTS: dict[str, tuple[str, Callable[[Any, Module], Any]]] = {
    "a command is taken when none is left": ("Sequencer", lambda dut, _m: dut.command.ready.eq(1)),
    "activations are taken only for a command": (
        "Sequencer",
        lambda dut, _m: dut.take_activations.eq(dut.activations_valid),
    ),
    "activations are taken only when offered": ("Sequencer", lambda dut, _m: dut.take_activations.eq(1)),
    "only a malformed command is answered without sums": ("Sequencer", lambda dut, _m: dut.step.malformed.eq(dut.room)),
    "a step is made when activations are taken": ("Sequencer", lambda dut, _m: dut.step.valid.eq(1)),
    "sums begin with the first tile of K": ("Sequencer", lambda dut, _m: dut.step.first.eq(1)),
    "sums end with the last tile of K": ("Sequencer", lambda dut, _m: dut.step.last.eq(dut.step.valid)),
    "the last answer to a command says so": ("Sequencer", lambda dut, _m: dut.step.end.eq(dut.step.last)),
    "steps go through the tokens of a block": ("Sequencer", lambda dut, _m: dut.step.token.eq(0)),
    "a tile is taken when its last beat is offered": (
        "Accelerator",
        lambda dut, m: m.submodules.sequencer.tile_complete.eq(dut.weights.valid),
    ),
    "of a tile, only the last beat waits": ("WeightLoader", lambda dut, _m: dut.beats.ready.eq(1)),
    "the select lines are the tile's: +1": (
        "Accelerator",
        lambda _, m: m.submodules.column0.plus.eq(m.submodules.loader.minus),
    ),
    "the select lines are the tile's: -1": ("Accelerator", lambda _, m: m.submodules.column0.minus.eq(0)),
    "every column sees the activations taken": (
        "Accelerator",
        lambda dut, m: m.submodules.column0.activations.eq(dut.activations.payload),
    ),
    "places reserved are results begun and not yet delivered": (
        "Sequencer",
        lambda dut, _m: dut.step.last.eq(dut.step.valid),
    ),
    "no more places are reserved than there are": ("Accelerator", lambda _, m: m.submodules.sequencer.room.eq(1)),
    "results begun are in flight or in the queue": ("Accelerator", lambda _, m: m.submodules.queue.r_en.eq(1)),
    "every result begun is written once": (
        "Accelerator",
        lambda _, m: m.submodules.queue.w_en.eq(m.submodules.queue.w_rdy),
    ),
    "a result written finds a place": (
        "Accelerator",
        lambda _, m: m.submodules.sequencer.room.eq(m.submodules.queue.w_rdy),  # forgets those in flight
    ),
    "a result keeps its marks": ("Accelerator", lambda _, m: m.submodules.queue.w_data[-1].eq(0)),
    "a result is the sum of its dot products": ("Column", lambda dut, _m: dut.total.eq(dut.previous + 1)),
    "results are offered while there are any": (
        "Accelerator",
        lambda dut, m: dut.results.valid.eq(~m.submodules.queue.w_rdy),
    ),
    "a step is made whenever operands and a place are there": (
        "Accelerator",
        lambda _, m: m.submodules.sequencer.room.eq(m.submodules.queue.level == 0),
    ),
    "a malformed command is answered when a place is there": (
        "Accelerator",
        lambda _, m: m.submodules.sequencer.room.eq(m.submodules.queue.level == 0),
    ),
    "a stalled result stays": (
        "Accelerator",
        lambda dut, m: dut.results.valid.eq(m.submodules.queue.r_rdy & dut.activations.valid),
    ),
    "a stalled result stays unchanged": (
        "Accelerator",
        lambda dut, m: Value.cast(dut.results.payload).eq(m.submodules.queue.w_data),
    ),
    "results are delivered in order and as written": (
        "Accelerator",
        lambda dut, m: Value.cast(dut.results.payload).eq(~m.submodules.queue.r_data),
    ),
}

SELECTED = {"the select lines are the tile's: +1", "the select lines are the tile's: -1"}

# Of accumulators in memory.
MEMORY_FAULTS: dict[str, tuple[str, Callable[[Any, Module], Any]]] = {
    "no sums are read while they are written": (
        "Accumulators",
        lambda dut, m: m.submodules.storage.read_en.eq(dut.upcoming.valid & ~dut.upcoming.first),
    ),
    "sums that go on are those of the token": (
        "Accumulators",
        lambda dut, m: m.submodules.storage.read_addr.eq(dut.token),
    ),
}
IN_MEMORY = small(tokens=2, accumulators="memory")
# Of weights that are numbers or have scales, and of columns that compute anything.
NUMBER_FAULTS: dict[str, tuple[str, Callable[[Any, Module], Any]]] = {
    "the weights are the tile's": (
        "Accelerator",
        lambda _, m: m.submodules.column0.weights.eq(~m.submodules.loader.weights),
    ),
    "the scales are the tile's": (
        "Accelerator",
        lambda _, m: m.submodules.column0.scale.eq(~m.submodules.loader.scales),
    ),
    "every column sees the activations taken": FAULTS["every column sees the activations taken"],
    "every column sees its sum so far": ("Accelerator", lambda _, m: m.submodules.column0.previous.eq(0)),
    "a result is the sum of its dot products": (
        "Accelerator",
        lambda _, m: Value.cast(m.submodules.accumulators.following).eq(0),
    ),
}


def number_claims(config: AcceleratorConfig) -> list[str]:
    """Return which of these claims are made of an accelerator."""
    made = {
        "the weights are the tile's": config.multiplies,
        "the scales are the tile's": config.scaled,
        "every column sees its sum so far": config.floating_point,
    }
    return [claim for claim in NUMBER_FAULTS if made.get(claim, True)]


NUMBER_CASES = [(name, claim) for name in NUMBERS for claim in number_claims(small(**ACCELERATORS[name]))]


@pytest.mark.parametrize("claim", sampled(FAULTS, 6, "claims that a fault refutes"))
def test_claim_about_the_streams_is_refuted_by_a_fault(claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the first eight cycles."""
    break_hardware(monkeypatch, accelerator, *FAULTS[claim])
    with pytest.raises(RefutedError) as refuted:
        Streams(small(tokens=2, weight_bus_bits=4)).check(8, only=claim)
    assert refuted.value.claims == (claim,)


def test_every_claim_about_the_streams_has_a_fault() -> None:
    streams = Streams(small(tokens=2, weight_bus_bits=4))
    streams.check()
    assert {claim for claim in streams.claims if not claim.startswith("invariant")} == set(FAULTS)


@pytest.mark.parametrize("claim", MEMORY_FAULTS)
def test_claim_about_sums_in_memory_is_refuted_by_a_fault(claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the first eight cycles."""
    break_hardware(monkeypatch, accelerator, *MEMORY_FAULTS[claim])
    with pytest.raises(RefutedError) as refuted:
        Streams(IN_MEMORY).check(8, only=claim)
    assert refuted.value.claims == (claim,)


def test_every_claim_about_sums_in_memory_has_a_fault() -> None:
    streams = Streams(IN_MEMORY)
    streams.check()
    claims = {claim for claim in streams.claims if not claim.startswith("invariant")}
    assert claims == set(FAULTS) | set(MEMORY_FAULTS)


@pytest.mark.parametrize(("name", "claim"), sampled(NUMBER_CASES, 1, "claims about numbers that a fault refutes"))
def test_claim_about_numbers_is_refuted_by_a_fault(name: str, claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the first eight cycles."""
    break_hardware(monkeypatch, accelerator, *NUMBER_FAULTS[claim])
    with pytest.raises(RefutedError) as refuted:
        Streams(small(**ACCELERATORS[name])).check(8, only=claim)
    assert refuted.value.claims == (claim,)


@pytest.mark.parametrize("name", sampled(NUMBERS, 1, "claims about numbers that have faults"))
def test_every_claim_about_numbers_has_a_fault(name: str) -> None:
    config = small(**ACCELERATORS[name])
    streams = Streams(config)
    streams.check()
    claims = {claim for claim in streams.claims if not claim.startswith("invariant")}
    assert claims == set(FAULTS) - (SELECTED if config.multiplies else set()) | set(number_claims(config))


def swap_signs(trits: list[Any]) -> list[Any]:
    return [(minus, plus) for plus, minus in trits]


def take_both_for_minus(trits: list[Any]) -> list[Any]:
    return [(plus & ~minus, minus) for plus, minus in trits]


def forget_the_last_lane(trits: list[Any]) -> list[Any]:
    return [*trits[:-1], (Const(0, 1), Const(0, 1))]


WRONG_LANES = [
    [(datapath, change, proof) for change in (swap_signs, take_both_for_minus, forget_the_last_lane)]
    for datapath in DATAPATHS["ternary2"]
    for proof in (dot, one_column)
]


@pytest.mark.parametrize(("datapath", "change", "proof"), one_of_each(WRONG_LANES, "wrong lanes"))
def test_wrong_lanes_are_refuted(
    datapath: str,
    change: Callable[[list[Any]], list[Any]],
    proof: Callable[[AcceleratorConfig], Proof],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = dot_product.DotProduct._trits
    monkeypatch.setattr(dot_product.DotProduct, "_trits", lambda self: change(right(self)))
    with pytest.raises(RefutedError):
        proof(small(datapath=datapath, lanes=4, activation_bits=3)).check()


@pytest.mark.parametrize("datapath", DATAPATHS["ternary2"])
def test_missing_pipeline_registers_are_refuted(datapath: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "cuts", lambda _count, _pipeline: {})
    with pytest.raises(RefutedError):
        dot(small(datapath=datapath, lanes=4, pipeline=1)).prove(2)


def test_wrong_offset_of_a_column_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offset(dot_product.DotProduct):
        def __init__(self, config: AcceleratorConfig) -> None:
            super().__init__(config)
            self.offset += 1

    monkeypatch.setattr(column, "DotProduct", Offset)
    with pytest.raises(RefutedError):
        one_column(small(lanes=3)).check()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("largest", lambda _, words: words[0]),
        ("chained", lambda _m, _name, _places, _unit: Const(0, 5)),
        ("shifted_right", lambda _m, word, _count: (word, Const(0, 1))),
        ("GUARD_BITS", 12),
    ],
)
def test_wrong_alignment_is_refuted(name: str, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, name, change)
    with pytest.raises(RefutedError):
        alignment_of(2).check()


def test_wrong_sign_of_a_decoded_pair_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = weights._decode_pair
    monkeypatch.setattr(weights, "_decode_pair", lambda code, zero: right(Cat(code[0], code[0], code[2]), zero))
    with pytest.raises(RefutedError):
        decoder("ternary5").check()


@pytest.mark.parametrize("line", [0, 1], ids=["nonzero", "negative"])
@pytest.mark.parametrize("trit", [0, 3, 4])
def test_wrong_line_of_a_decoded_trit_is_refuted(line: int, trit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(word: Value) -> tuple[list[Value], list[Value]]:
        lines = weights.decode_signs(word)
        lines[line][trit] ^= word == 0b01_000_000  # one byte of 256, no trit of which is zero
        return lines

    monkeypatch.setattr(claims, "decode_signs", wrong)
    with pytest.raises(RefutedError):
        decoder_of_signs().check()


@pytest.mark.parametrize("claimed", [integer_dot, integer_column])
def test_products_of_digits_with_a_wrong_sign_are_refuted(
    claimed: Callable[[AcceleratorConfig], Proof], monkeypatch: pytest.MonkeyPatch
) -> None:
    recode = dot_product.recode
    monkeypatch.setattr(dot_product, "recode", lambda word: recode(word) ^ 1)
    with pytest.raises(RefutedError):
        claimed(small(weight_encoding="int4", datapath="weight_digits")).check()
