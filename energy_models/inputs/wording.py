"""How counts read in texts."""


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
