"""What the layers of a type of Hugging Face differ in, as data/huggingface.yaml describes it."""

import re
from typing import Any

from pydantic import Field

from bitjoule.energy_models.inputs.validation import Strict


def keys_in(value: object) -> set[str]:
    """Return the keys of a config that a value behind ``=`` names: ``=a+1|b*c/d`` is a + 1, or b times c over d, up.

    Parameters
    ----------
    value
        Of a change; others name none.
    """
    if not isinstance(value, str) or not value.startswith("="):
        return set()
    return {name.partition(".")[0] for name in re.split(r"[|*/+]", value[1:]) if not name.isdigit()}


class Windows(Strict):
    """Which layers attend within a window.

    Parameters
    ----------
    width, default
        Key of the window's width, and what it is where the config leaves it out.
    every, every_key, first
        Of so many layers the last, or the first, attends to all tokens; keys that say so. Without both all layers have
        windows.
    where, after, after_default, before
        Key that has to be true; key of the number of layers before the first with a window, and of those behind which
        there is none.
    without_positions
        Whether layers without rotary positions are those with windows.
    listed, runs
        Keys of the layers' kinds, one each, and of lists of kinds with the number of times they follow each other.
    full, last_full
        What else is special in a layer that attends to all tokens; whether the last layer always does.
    chunked
        Whether a token attends to those of its own chunk.
    centred
        Key that has to be true for windows that reach to both sides of a token, half of the width each; or true.
    """

    width: str
    default: int | None = None
    every: int | None = None
    every_key: list[str] = Field(default_factory=list)
    where: str | None = None
    after: str | None = None
    after_default: int = 0
    before: str | None = None
    without_positions: bool = False
    listed: str = "layer_types"
    runs: str | None = None
    full: dict[str, Any] = Field(default_factory=dict)
    last_full: bool = False
    first: bool = False
    chunked: bool = False
    centred: str | bool = False

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        centred = self.centred if isinstance(self.centred, str) else None
        named = (self.width, self.where, self.after, self.before, self.listed, self.runs, centred)
        values = {key for value in self.full.values() for key in keys_in(value)}
        return {key for key in (*named, *self.every_key) if key} | values


class Kinds(Strict):
    """Layers of several kinds.

    Parameters
    ----------
    listed, older
        Key of the layers' kinds, one each, and other names of some kinds in it.
    pattern, letters
        Without it: key of a text with a letter, or of a list with a number, for each layer; the kinds that these mean.
    numbers
        Without both: key of the numbers of the layers of the kind `last`.
    every, every_key, last, others
        Without all: of so many layers, or of as many as a key says, the last one's kind, and that of the others.
    offset_key
        Key of which of these layers it is, from 0, instead of the last.
    first_too
        Whether the first layer is of this kind, too.
    counts, default
        Whether the list or the text says how many layers there are; the list where a config has neither.
    changes
        What is special in the layers of each kind; a value behind ``=`` is the config's key.
    """

    listed: str
    older: dict[str, str] = Field(default_factory=dict)
    pattern: str | None = None
    letters: dict[str, str] = Field(default_factory=dict)
    numbers: str | None = None
    every: int = 0
    every_key: str | None = None
    offset_key: str | None = None
    first_too: bool = False
    last: str
    others: str
    counts: bool = False
    default: list[str] | None = None
    changes: dict[str, dict[str, Any]]

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        named = {key for change in self.changes.values() for value in change.values() for key in keys_in(value)}
        rules = (self.pattern, self.numbers, self.every_key, self.offset_key)
        return {self.listed} | named | {key.partition(".")[0] for key in rules if key}


class Mixtures(Strict):
    """Which layers of a mixture are dense.

    Parameters
    ----------
    listed
        Key of each layer's kind, ``dense`` or another; the others say it where it is not there.
    flags
        Key of a list with 1 for each mixture and 0 for each dense layer.
    first, first_default
        Key of how many layers at the beginning, and its default, which holds without a key, too.
    step, offset, dense, sparse
        Key of a number of layers of which the last, or the one that a key says, is a mixture; keys of the numbers of
        layers that are dense, and of those that are mixtures.
    changes
        What else is special in a dense layer; a value behind ``=`` is the config's key.
    start, start_default, end, interval
        Keys of the first and the last layer that may be a mixture, and of the distance between two.
    """

    listed: str | None = None
    flags: str | None = None
    first: str | None = None
    first_default: int = 0
    step: str | None = None
    offset: str | None = None
    dense: str | None = None
    sparse: str | None = None
    changes: dict[str, Any] = Field(default_factory=dict)
    start: str | None = None
    start_default: int = 0
    end: str | None = None
    interval: str | None = None

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        named = (self.listed, self.first, self.step, self.offset, self.dense, self.sparse, self.start, self.end)
        values = {key for value in self.changes.values() for key in keys_in(value)}
        return {key for key in (*named, self.interval, self.flags) if key} | values


class Indexers(Strict):
    """Which layers of sparse attention have an indexer; the others take what one before them chose.

    Parameters
    ----------
    listed, full
        Key of each layer's kind, and the kind of those with an indexer.
    pattern
        Key of a text with a letter for each layer, ``F`` for those with one, where the list is not there.
    every, offset, offset_default
        Without both: keys of the distance between them and of the first layer but one that counts, and its default.
    without
        What is special in a layer without one.
    """

    listed: str
    full: str
    pattern: str
    every: str
    offset: str
    offset_default: int
    without: dict[str, Any]

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {self.listed, self.pattern, self.every, self.offset}


class Rounded(Strict):
    """An inner width that is computed (LFM2).

    Parameters
    ----------
    ffn
        Keys of the width before; the first that is there counts.
    over
        Numerator and denominator of what it is multiplied with.
    factor, multiple
        Keys of a factor, and of a number of which the result is a multiple, rounded up.
    where
        Key that has to be true.
    """

    ffn: list[str]
    over: list[int] = Field(min_length=2, max_length=2)
    factor: str
    multiple: str
    where: str

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {*self.ffn, self.factor, self.multiple, self.where}


class SharedCaches(Strict):
    """Which layers read the keys and values of others.

    Parameters
    ----------
    last
        Key of how many layers at the end.
    wide
        Key that has to be true for a network of twice the width in these.
    """

    last: str
    wide: str

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {self.last, self.wide}


class Positions(Strict):
    """Which layers have no rotary positions.

    Parameters
    ----------
    rotated
        Key of a list with 1 for each layer that has them.
    except_every, except_default
        Without it, of so many layers the last has none: key and default.
    """

    rotated: str
    except_every: str
    except_default: int

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {self.rotated, self.except_every}
