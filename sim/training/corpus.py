"""Plain English to train on, without a download: the prose of the docstrings of installed packages.

NumPy and pandas are dependencies of bitjoule and under the 3-clause BSD licence. Which text comes out depends on their
wheels: on their versions, and on Python's, as wheels for Python 3.12 leave out numpy.distutils. `Corpus.digest` tells
whether it is the same.
"""

import ast
import hashlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

PACKAGES = ("numpy", "pandas")
HELD_OUT_SHARE = 20  # one file in so many
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_MARKUP = re.compile(r":[a-z:]+:`~?([^`<>]*)(?: <[^`]*>)?`_*|`+([^`]*)`+_*|\*\*([^*]+)\*\*")
_PROSE = re.compile(r"[A-Z][A-Za-z0-9 ,.;:()'\"/=_-]{30,}\.")  # a sentence, not a table or code
_SHORTEST_WORDS = 6


@dataclass(frozen=True)
class Corpus:
    """Text in two parts that share no paragraph.

    Parameters
    ----------
    train, held_out
        ASCII, a paragraph a line.
    versions
        Of the packages that it is taken from.
    """

    train: bytes
    held_out: bytes
    versions: dict[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of both parts."""
        return hashlib.sha256(self.train + b"\0" + self.held_out).hexdigest()


def read_corpus(packages: tuple[str, ...] = PACKAGES) -> Corpus:
    """Return the prose of the docstrings of installed packages; the files to hold out are chosen by their names' hash.

    Parameters
    ----------
    packages
        Import names, which must be those of the distributions, too.
    """
    parts: tuple[dict[str, None], dict[str, None]] = ({}, {})  # as ordered sets
    for package in packages:
        root = Path(str(resources.files(package)))
        for file in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            if "/tests/" not in name:
                held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0
                parts[held_out].update(dict.fromkeys(paragraphs(file.read_text(encoding="utf-8"))))
    train, held_out_text = parts[0], [line for line in parts[1] if line not in parts[0]]
    return Corpus(
        "".join(f"{line}\n" for line in train).encode("ascii"),
        "".join(f"{line}\n" for line in held_out_text).encode("ascii"),
        {package: metadata.version(package) for package in packages},
    )


def paragraphs(source: str) -> Iterator[str]:
    """Yield the paragraphs of prose in the docstrings of a Python file, each on one line and without its markup."""
    for node in ast.walk(ast.parse(source)):
        text = ast.get_docstring(node) if isinstance(node, _DOCUMENTED) else None
        for block in re.split(r"\n\s*\n|\n(?=\S.* : )|(?<= : ).*\n", inspect.cleandoc(text)) if text else ():
            line = " ".join(_MARKUP.sub(lambda match: next(filter(None, match.groups()), ""), block).split())
            if "--" not in line and _PROSE.fullmatch(line) and len(line.split()) >= _SHORTEST_WORDS:
                yield line
