"""Titles in as many lines as their width needs, none of which is left with a word or two."""

from functools import cache

BEFORE_NOTHING = 0.25  # what a break costs that no punctuation asks for, in squares of a line
CLOSING = (",", ";", ":")


def wrapped(text: str, characters: int) -> str:
    """Return a text in the fewest lines, of nearly equal lengths and where it can be broken behind punctuation.

    Parameters
    ----------
    text
        With words between single spaces; a word is never broken.
    characters
        Of a line at most, where no word is longer.
    """
    words = text.split()

    @cache
    def best(first: int) -> tuple[int, float, tuple[str, ...]]:
        if first == len(words):
            return 0, 0.0, ()
        choices = []
        for end in range(first + 1, len(words) + 1):
            line = " ".join(words[first:end])
            if len(line) > characters and end > first + 1:
                break
            lines, cost, rest = best(end)
            asked_for = not rest or line.endswith(CLOSING) or words[end].startswith("(")
            cost += (len(line) / characters) ** 2 + (0.0 if asked_for else BEFORE_NOTHING)
            choices.append((lines + 1, cost, (line, *rest)))
        return min(choices)

    return "\n".join(best(0)[2])
