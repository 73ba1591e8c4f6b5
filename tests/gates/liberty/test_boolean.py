"""Functions as Liberty writes them mean what their operators say, however few parentheses there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.gates.liberty.boolean import BooleanFunction

PINS = ("A", "B1", "_c", "D[3]")
LEVELS = {"or": (0, ("|", "+", " + ")), "and": (1, ("&", "*", " ", " & ")), "xor": (2, ("^", " ^ "))}
TIGHTEST = 3


@st.composite
def trees(draw, depth=4):
    """Return a function as nested tuples: a pin, a constant, or an operator and what it takes."""
    kind = draw(st.sampled_from(["leaf", "not", *LEVELS])) if depth else "leaf"
    if kind == "leaf":
        return draw(st.sampled_from([*PINS, "0", "1"]))
    operands = 1 if kind == "not" else draw(st.integers(2, 3))
    return (kind, *(draw(trees(depth - 1)) for _ in range(operands)))


def value(tree, pins):
    """Return what a function is, 0 or 1, for some values of its pins."""
    if isinstance(tree, str):
        return pins[tree] if tree in pins else int(tree)
    values = [value(operand, pins) for operand in tree[1:]]
    return {"not": 1 - values[0], "or": max(values), "and": min(values), "xor": sum(values) % 2}[tree[0]]


def liberty(draw, tree, level=0):
    """Return one way to write a function; parentheses stand where it would mean something else without."""
    if isinstance(tree, str):
        return tree
    if tree[0] == "not":
        if draw(st.booleans()):
            return "!" + liberty(draw, tree[1], TIGHTEST)
        inside = liberty(draw, tree[1], TIGHTEST)
        return f"({inside})'" if inside.startswith("!") else f"{inside}'"  # !A' is A: ' before !
    own, signs = LEVELS[tree[0]]
    sign = draw(st.sampled_from(signs))
    text = sign.join(liberty(draw, operand, own + 1) for operand in tree[1:])
    return f"({text})" if own < level or draw(st.booleans()) else text


@given(trees(), st.data())
def test_a_function_is_what_its_operators_say_in_numpy_and_in_verilog(tree, data):
    text = liberty(data.draw, tree)
    function = BooleanFunction(text).checked()
    every = list(itertools.product((0, 1), repeat=len(PINS)))
    expected = [value(tree, dict(zip(PINS, row, strict=True))) for row in every]
    assert function.table(PINS) == sum(bit << place for place, bit in enumerate(expected)), text
    words = {pin: np.array([row[column] for row in every], dtype=np.uint64) for column, pin in enumerate(PINS)}
    assert (np.broadcast_to(function(words), len(every)) & np.uint64(1)).tolist() == expected
    verilog = function.verilog.replace("1'b0", "0").replace("D[3]", "D3")  # ~ & ^ | are Python's too, in their order
    for row, bit in zip(every, expected, strict=True):
        assert eval(verilog, {"D3": row[3]} | dict(zip(PINS, row, strict=True))) & 1 == bit, (text, verilog)  # noqa: S307


@pytest.mark.parametrize(
    ("text", "pins", "table"),
    [
        ("!A ^ B1", ("A", "B1"), 0b1001),
        ("A''", ("A",), 0b10),
        ("!A'", ("A",), 0b10),
        ("A B1 | !A", ("A", "B1"), 0b1011),
        ("A*B1'+_c", ("A", "B1", "_c"), 0b10111010),
        ("A ^ B1 & _c", ("A", "B1", "_c"), 0b00101000),
    ],
)
def test_operators_bind_as_in_liberty(text, pins, table):
    assert BooleanFunction(text).table(pins) == table
    assert BooleanFunction(text).pins == tuple(pins)


@given(st.lists(st.sampled_from(["A", "!B1", "_c"]), min_size=1, max_size=6), st.data())
def test_where_abc_ranks_operators_otherwise_a_function_gets_parentheses(operands, data):
    """ABC's order, & before ^ before |, is Python's."""
    signs = [data.draw(st.sampled_from([" & ", " ^ ", " | "])) for _ in operands[1:]]
    text = "".join(itertools.chain(*zip(operands, [*signs, ""], strict=True)))
    function = BooleanFunction(text)
    read_by_abc = function.unmistakable.replace("!", "~")
    for row in itertools.product((0, 1), repeat=3):
        pins = dict(zip(("A", "B1", "_c"), row, strict=True))
        words = {pin: np.array([bit], dtype=np.uint64) for pin, bit in pins.items()}
        assert eval(read_by_abc, {}, pins) & 1 == int(function(words)[0]) & 1, text  # noqa: S307


@pytest.mark.parametrize(
    ("text", "unmistakable"),
    [
        ("A & B ^ C", "(A & (B ^ C))"),
        ("C ^ B A'", "((C ^ B) & !A)"),
        ("!(A * B ^ C) + D", "(!(A & (B ^ C)) | D)"),
        ("A & (B ^ C)", "A & (B ^ C)"),
        ("(A B) ^ C'", "(A B) ^ C'"),
        ("!(A ^ B)", "!(A ^ B)"),
    ],
)
def test_a_function_that_abc_reads_alike_stays_as_it_is(text, unmistakable):
    assert BooleanFunction(text).unmistakable == unmistakable
