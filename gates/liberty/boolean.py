"""Boolean functions as Liberty writes them, evaluated on NumPy words or on truth tables."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_TOKEN = re.compile(r"[A-Za-z_]\w*(?:\[\d+\])?|[01!'^&*|+()]")


# Operators that bind loosest first; each has other signs, and and's may be a blank.
_SIGNS = {"|": {"|", "+"}, "&": {"&", "*"}, "^": {"^"}}
_LIBERTY, _ABC = "|&^", "|^&"


class _Parser:
    """Recursive descent: ``!`` and ``'`` bind tightest, then the operators in an order."""

    def __init__(self, text: str, pin: str = "v[{!r}]", zero: str = "zero", order: str = _LIBERTY) -> None:
        self.pin, self.zero, self.order = pin, zero, order
        self.tokens: list[str] = _TOKEN.findall(text)
        self.position = 0

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.next
        self.position += 1
        return token

    def parse(self, rank: int = 0) -> str:
        if rank == len(self.order):
            return self.unary()
        operator = self.order[rank]
        terms = [self.parse(rank + 1)]
        while self.joins(operator):
            terms.append(self.parse(rank + 1))
        return terms[0] if len(terms) == 1 else f"({f' {operator} '.join(terms)})"

    def joins(self, operator: str) -> bool:
        """Take an operator's sign if it is next, or tell whether it is left out there, as and's may be."""
        if self.next in _SIGNS[operator]:
            self.take()
            return True
        return operator == "&" and self.next not in {"", "|", "+", "^", ")"}

    def unary(self) -> str:
        symbol = self.take()
        if symbol == "!":
            return f"~{self.unary()}"
        if symbol == "(":
            inner = self.parse()
            if self.take() != ")":
                raise ValueError("unbalanced parentheses")
        elif symbol in {"0", "1"}:
            inner = self.zero if symbol == "0" else f"~{self.zero}"
        elif symbol[:1].isalpha() or symbol[:1] == "_":
            inner = self.pin.format(symbol)
        else:
            raise ValueError(f"expected a pin, got {symbol or 'the end of the function'}")
        while self.next == "'":
            self.take()
            inner = f"~{inner}"
        return inner


@dataclass(frozen=True)
class BooleanFunction:
    """A Boolean function of named pins.

    Parameters
    ----------
    text : str
        The function as Liberty writes it.
    """

    text: str

    def __getstate__(self) -> dict[str, str]:
        """Return what a process of its own needs; what is compiled cannot be pickled."""
        return {"text": self.text}

    @cached_property
    def pins(self) -> tuple[str, ...]:
        """Names of the pins read, in order of appearance."""
        names = [token for token in _TOKEN.findall(self.text) if token[0].isalpha() or token[0] == "_"]
        return tuple(dict.fromkeys(names))

    @property
    def verilog(self) -> str:
        """The function as a Verilog expression of one bit."""
        # Libraries write !(!(a)); in Verilog ~~a is a syntax error, of which Verilator says nothing.
        return _Parser(self.text, "{}", "1'b0").parse().replace("~~", "")

    @property
    def unmistakable(self) -> str:
        """The function in Liberty's own syntax, such that ABC reads the same.

        For Liberty, as for Yosys, ``A & B ^ C`` is ``A & (B ^ C)``; for ABC it is ``(A & B) ^ C``.
        """
        ours, theirs = (_Parser(self.text, "{}", "0", order).parse() for order in (_LIBERTY, _ABC))
        return self.text if ours == theirs else ours.replace("~", "!")

    def checked(self) -> "BooleanFunction":
        """Return this function.

        Raises
        ------
        ValueError
            It is none.
        """
        _ = self.expression
        return self

    @cached_property
    def expression(self) -> str:
        """The function as Python writes it: each pin an item of ``v``.

        Raises
        ------
        ValueError
            It is none.
        """
        parser = _Parser(self.text)
        try:
            expression = parser.parse()
        except ValueError as error:
            raise ValueError(f"{self.text!r}: {error}") from None
        if parser.next or _TOKEN.sub("", self.text).strip():
            raise ValueError(f"{self.text!r} is not a Boolean function in Liberty syntax")
        return expression

    @cached_property
    def _evaluate(self) -> Callable[..., Words]:
        # Compiled once per cell type: the parser writes nothing but pin look-ups and the operators ~ & ^ |.
        return eval(f"lambda v, zero: {self.expression}")  # type: ignore[no-any-return]  # noqa: S307

    def __call__(self, values: dict[str, Words]) -> Words:
        """Evaluate on words of independent trials.

        Parameters
        ----------
        values : dict of str to array of uint64
            The value of each pin.

        Returns
        -------
        array of uint64
            The function's value, trial by trial.
        """
        return self._evaluate(values, np.uint64(0))

    def table(self, pins: Sequence[str]) -> int:
        """Return the truth table as a number: bit i is the value at combination i, the last pin changing fastest."""
        rows = np.array(list(itertools.product((0, 1), repeat=len(pins))), dtype=np.uint64).reshape(
            1 << len(pins), len(pins)
        )
        value = self({pin: rows[:, column] for column, pin in enumerate(pins)}) & np.uint64(1)
        bits = np.broadcast_to(value, len(rows))
        return sum(int(bit) << row for row, bit in enumerate(bits))


def parity(pins: Sequence[str]) -> BooleanFunction:
    """Return the exclusive or of some pins, which libraries often write as a long sum of products."""
    return BooleanFunction(" ^ ".join(pins))
