"""What is taken of the docstrings of a Python file: whole paragraphs, or their prose alone."""

import ast
import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_MARKUP = re.compile(r":[a-z:]+:`~?([^`<>]*)(?: <[^`]*>)?`_*|`+([^`]*)`+_*|\*\*([^*]+)\*\*")
_PROSE = re.compile(r"[A-Z][A-Za-z0-9 ,.;:()'\"/=_-]{30,}\.")  # a sentence, not a table or code
_SHORTEST_WORDS = 6


class Recipe(NamedTuple):
    """How a text is made of the files of packages.

    Parameters
    ----------
    paragraphs
        Of a file's source.
    left_out
        Parts of the paths of files that are not read.
    joined
        The paragraphs of one part as a text.
    """

    paragraphs: Callable[[bytes], Iterator[str]]
    left_out: tuple[str, ...]
    joined: Callable[[Iterator[str]], str]


def blocks(source: bytes) -> Iterator[str]:
    """Yield the paragraphs of the docstrings of a file, markup and examples included, as far as they are ASCII.

    Parameters
    ----------
    source
        Of the file; nothing comes of what is no Python.
    """
    for text in _docstrings(source):
        for block in re.split(r"\n\s*\n", text):
            if block.isascii() and block.strip():
                yield block.rstrip()


def prose(source: bytes) -> Iterator[str]:
    """Yield the paragraphs of prose in the docstrings of a file, each on one line and without its markup.

    Parameters
    ----------
    source
        As for `blocks`.
    """
    for text in _docstrings(source):
        for block in re.split(r"\n\s*\n|\n(?=\S.* : )|(?<= : ).*\n", inspect.cleandoc(text)):
            line = " ".join(_MARKUP.sub(lambda match: next(filter(None, match.groups()), ""), block).split())
            if "--" not in line and _PROSE.fullmatch(line) and len(line.split()) >= _SHORTEST_WORDS:
                yield line


def _docstrings(source: bytes) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in others' files
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # templates that are no Python
            return
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, _DOCUMENTED) else None
        if text:
            yield text


RECIPES = {
    "blocks": Recipe(blocks, ("/tests/", "/testing/"), "\n\n".join),
    "prose": Recipe(prose, ("/tests/",), lambda lines: "".join(f"{line}\n" for line in lines)),
}
