"""A value that tasks share: pickled once, and unpickled once in each process."""

import hashlib
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

Value = TypeVar("Value")
_UNPACKED: "OrderedDict[str, Any]" = OrderedDict()
_MOST = 2  # values that a process keeps: those of this run, and of one before


@dataclass(frozen=True)
class Packed(Generic[Value]):
    """A pickled value.

    Parameters
    ----------
    content
        Its bytes.
    digest
        Their hash, by which a process finds what it has unpickled before.
    """

    content: bytes
    digest: str

    @classmethod
    def of(cls, value: Value) -> "Packed[Value]":
        """Return a value, pickled.

        Parameters
        ----------
        value
            The value.
        """
        content = pickle.dumps(value)
        return cls(content, hashlib.sha256(content).hexdigest())

    @property
    def value(self) -> Value:
        """The value, the same object for all tasks of a process."""
        if self.digest not in _UNPACKED:
            _UNPACKED[self.digest] = pickle.loads(self.content)  # noqa: S301 (from the run that this process works for)
            while len(_UNPACKED) > _MOST:
                _UNPACKED.popitem(last=False)
        return cast(Value, _UNPACKED[self.digest])
