"""How counts, sizes and lists of lines read in texts."""

GB, TB = 1e9, 1e12
MOST_ALIKE = 10  # lines of one wording that are shown


def counted(count: int, noun: str) -> str:
    """Return a count and its noun, as in "1 token" and "2 tokens".

    Parameters
    ----------
    count
        How many.
    noun
        Its singular, of which the plural ends in s.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def memory_size(size_bytes: float) -> str:
    """Return the size of a memory in powers of ten, e.g. ``34.4 GB``.

    Parameters
    ----------
    size_bytes
        The size.
    """
    value = f"{size_bytes / GB:.3g}"
    return f"{size_bytes / TB:.3g} TB" if float(value) >= TB / GB else f"{value} GB"


class Alike:
    """Lines sorted by what they say, as they come: those of one wording are about different things.

    Two lines are alike that have as many words, at least half of them the same in the same places.

    Attributes
    ----------
    groups
        The lines so far, those that are alike together, in their order.
    """

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    def add(self, line: str) -> list[str]:
        """Add a line, and return its group.

        Parameters
        ----------
        line
            To add.
        """
        group = next((group for group in self.groups if _alike(line, group[0])), None)
        if group is None:
            group = []
            self.groups.append(group)
        group.append(line)
        return group


def _alike(first: str, second: str) -> bool:
    ours, theirs = first.split(), second.split()
    return len(ours) == len(theirs) and 2 * sum(map(str.__eq__, ours, theirs)) >= len(ours)
