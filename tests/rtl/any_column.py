"""A column that computes anything: what is proved with it holds for every column with the same ports."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring

from bitjoule.rtl import accelerator


class AnyColumn(wiring.Component):
    """In the place of a column.

    Parameters
    ----------
    column
        Whose ports it has.
    anything
        An input of the proof.
    """

    def __init__(self, column: Any, anything: Value) -> None:
        self._anything = anything
        column._MustUse__silence = True  # Amaranth would complain of a component that is not used
        super().__init__(column.signature)

    def elaborate(self, _: object) -> Module:
        m = Module()
        # The parity of the inputs changes nothing of what `total` can be; Amaranth leaves out inputs that nobody reads.
        inputs = Cat(getattr(self, name) for name in self.signature.members if name != "total")
        m.d.comb += self.total.eq(self._anything ^ inputs.xor())
        return m


def any_columns(anything: Sequence[Value]) -> AbstractContextManager[Any]:
    """Return a context in which one accelerator is elaborated with such columns.

    Parameters
    ----------
    anything
        Inputs of the proof, one a column.
    """
    totals, real = iter(anything), accelerator.column_of
    return patch.object(accelerator, "column_of", lambda config: AnyColumn(real(config), next(totals)))
