"""A step of inheritance: what was inherited from, what was changed, and what came of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Derivation(NamedTuple):
    """A step of inheritance, or of overriding.

    Parameters
    ----------
    name
        What was inherited from, as written; of overrides, the file whose values they change.
    base, changes, merged
        Its data, what the entry writes, and both together.
    override
        Whether the changes are overrides, e.g. by ``--set``.
    """

    name: str
    base: Mapping[str, Any]
    changes: Mapping[str, Any]
    merged: Mapping[str, Any]
    override: bool = False
