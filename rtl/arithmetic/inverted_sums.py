"""Chains of lanes in which sums are inverted instead of operands, for cells that add and have one input to spare.

-V = ~V + 1, so that V - x = ~(~V + x): where a sum is held inverted, adding x subtracts it. Of two lanes one is then
added or not, with nothing in front of the adder, to a sum that has this lane's sign. In front of the other lane's adder
its operand is selected and inverted, as it is without chains, and at that adder the sum takes the sign that the next
lane needs. Where sums are inverted before an adder, a chain of an even number of lanes may end with a lane of the first
kind: the adder of the tree that takes two such sums inverts one of them back.
"""

from collections.abc import Sequence

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed

from bitjoule.rtl.arithmetic.reduction import add, wire

BEFORE, AFTER = "before", "after"


def inverted_chain(
    m: Module, name: str, lanes: Sequence[tuple[Value, Value, Value]], inversion: str, left: bool = False
) -> tuple[Value, Value, Value]:
    """Return the sum of trits times activations, but for a unit and perhaps a sign.

    Parameters
    ----------
    m
        Where the adders go; combinational.
    name
        Names them.
    lanes
        Of each lane plus, minus and the activation, two's complement. Neither or both of plus and minus: zero.
    inversion
        Where a sum is inverted: `BEFORE` the adder of the lane that is selected in front of it, as an operand that is
        taken or not is before every adder, or `AFTER` it, as the sum or the one so far is chosen behind every adder.
    left
        Whether the word may be left inverted.

    Returns
    -------
    tuple of Value
        A word, a bit of weight one still to be added to it, and whether all bits of the word are inverted, a constant
        where they never are. With n lanes of b bits the word is at least -n 2**(b-1), and less than n 2**(b-1), as is
        its inverse.
    """
    signs = [_sign(lanes, i, left) for i in range(len(lanes))]
    plus, minus, x = lanes[0]
    total: Value = wire(m, f"{name}_1", _operand(lanes[0], minus ^ signs[0]))
    for i, lane in enumerate(lanes[1:], 1):
        plus, minus, x = lane
        following = Signal(signed(len(x) + i.bit_length()), name=f"{name}_{i + 1}")
        if is_free(i, len(lanes), left):
            nonzero = wire(m, f"{name}_nonzero{i}", plus ^ minus)
            chosen = total + Mux(nonzero, x.as_signed(), 0)
            m.d.comb += following.eq(Mux(nonzero, total + x.as_signed(), total) if inversion == AFTER else chosen)
        else:
            turned = wire(m, f"{name}_turned{i}", signs[i - 1] ^ signs[i])
            negated = wire(m, f"{name}_negated{i}", minus ^ (signs[i - 1] if inversion == AFTER else signs[i]))
            operand = wire(m, f"{name}_operand{i}", _operand(lane, negated))
            if inversion == AFTER:
                m.d.comb += following.eq(add(total, operand, negated) ^ turned.replicate(len(following)))
            else:
                seen = (total ^ turned.replicate(len(total)))[: len(total)].as_signed()
                m.d.comb += following.eq(add(seen, operand, negated))
        total = following
    return total, lanes[0][1], signs[-1]


def is_left(chain: int, chains: int, inversion: str) -> bool:
    """Return whether the sum of a chain may be left inverted: the first of two that one adder of the tree takes.

    Parameters
    ----------
    chain
        Its place among the chains.
    chains
        Chains in all.
    inversion
        Where a sum is inverted: `BEFORE`, or `AFTER`, which leaves none.
    """
    return inversion == BEFORE and chain % 2 == 0 and chain + 1 < chains


def is_free(lane: int, lanes: int, left: bool = False) -> bool:
    """Return whether a lane of a chain is added with nothing in front of the adder: every second, but for the last.

    Parameters
    ----------
    lane
        Its place in the chain.
    lanes
        Lanes of the chain.
    left
        Whether the chain's sum may be left inverted: the last lane is no exception then.
    """
    return lane % 2 == 1 and (left or lane + 1 < lanes)


def free_lanes(lanes: int, chain: int, inversion: str) -> list[bool]:
    """Return for each lane whether it is such a one.

    Parameters
    ----------
    lanes
        Lanes in all.
    chain
        Lanes of a chain; the last one may be shorter.
    inversion
        Where a sum is inverted: `BEFORE` or `AFTER` an adder.
    """
    chains = range(0, lanes, chain)
    return [
        is_free(lane, min(chain, lanes - start), is_left(i, len(chains), inversion))
        for i, start in enumerate(chains)
        for lane in range(min(chain, lanes - start))
    ]


def latest_lanes(lanes: int, chain: int, count: int) -> set[int]:
    """Return lanes that are added last in their chains: what they take may come latest.

    Parameters
    ----------
    lanes
        Lanes in all.
    chain
        Lanes of a chain.
    count
        How many to return.
    """
    return set(sorted(range(lanes), key=lambda lane: (-(lane % chain), lane))[:count])


def _sign(lanes: Sequence[tuple[Value, Value, Value]], lane: int, left: bool) -> Value:
    """Return whether the sum with a lane is held inverted: as the free lane needs it that comes next, or just came."""
    following = lane if is_free(lane, len(lanes), left) else lane + 1
    return lanes[following][1] if following < len(lanes) and is_free(following, len(lanes), left) else Const(0)


def _operand(lane: tuple[Value, Value, Value], negated: Value) -> Value:
    """Return x or 0, inverted where `negated`; a one is owed then."""
    plus, minus, x = lane
    return (Mux(plus ^ minus, x, 0) ^ negated.replicate(len(x))).as_signed()
