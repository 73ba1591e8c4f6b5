"""The text of a training, in two parts that share no paragraph: of named corpora, or of a user's files."""

import ast
import hashlib
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.training.config import CorpusOfFiles, TrainingFile
from bitjoule.sim.training.corpora import NamedCorpus, corpora

HELD_OUT_SHARE = 20  # one file in so many
RECIPE = "1"  # of the text: the cache keeps one for each
MAX_TEXT_BYTES = 4 << 30
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_PARTS = ("train", "held_out")


@dataclass(frozen=True)
class Text:
    """What is trained on, and what is held out.

    Parameters
    ----------
    train, held_out
        Bytes.
    sources
        Version and licence by package, or digest and licence by file.
    stated
        Whether the text is the one whose digest bitjoule states; None of a user's files.
    """

    train: bytes
    held_out: bytes
    sources: dict[str, tuple[str, str]]
    stated: bool | None = None

    @property
    def sha256(self) -> str:
        """Of both parts."""
        return digest(self.train, self.held_out)


def digest(train: bytes, held_out: bytes) -> str:
    """Return the SHA-256 of a text's two parts, which a zero byte separates.

    Parameters
    ----------
    train, held_out
        The parts.
    """
    return hashlib.sha256(train + b"\0" + held_out).hexdigest()


def read_texts(training: TrainingFile) -> Text:
    """Return the text that a training file names; that of packages is kept in the cache.

    Parameters
    ----------
    training
        The file.

    Raises
    ------
    InputError
        A package is not installed, a file cannot be read, or a part is shorter than a sequence.
    """
    corpus = training.config.corpus
    document = training.document
    if isinstance(corpus, CorpusOfFiles):
        text = _of_files(corpus, training.folder, document)
    else:
        text = of_packages(corpora()[corpus], document)
    for part in _PARTS:
        size, needed = len(getattr(text, part)), training.config.training.context + 1
        if size < needed:
            path: KeyPath = ("corpus", part) if isinstance(corpus, CorpusOfFiles) else ("corpus",)
            raise InputError([document.problem(path, f"has {size} bytes", f"at least context + 1, {needed}")])
    return text


def _of_files(corpus: CorpusOfFiles, folder: Path, document: Document) -> Text:
    sources, parts = {}, []
    for part in _PARTS:
        contents = []
        for index, name in enumerate(getattr(corpus, part)):
            try:
                with (folder / name).open("rb") as handle:  # bounded: the path may be a device
                    content = handle.read(MAX_TEXT_BYTES + 1)
            except (OSError, ValueError) as error:  # ValueError: a null byte in the name
                wrong = f"{name}: {getattr(error, 'strerror', None) or error}"
                raise InputError(
                    [document.problem(("corpus", part, index), wrong, "a file that can be read")]
                ) from None
            if len(content) > MAX_TEXT_BYTES:
                wrong = f"{name}: is larger than {MAX_TEXT_BYTES} bytes"
                raise InputError([document.problem(("corpus", part, index), wrong, "a smaller file")])
            sources[name] = (hashlib.sha256(content).hexdigest(), corpus.licence)
            contents.append(content)
        parts.append(b"".join(contents))
    return Text(parts[0], parts[1], sources)


def of_packages(corpus: NamedCorpus, document: Document) -> Text:
    """Return the text of a named corpus.

    Parameters
    ----------
    corpus
        Its packages.
    document
        The training file, for messages.

    Raises
    ------
    InputError
        A package is not installed.
    """
    versions, folders = {}, {}
    for name in corpus.packages:
        spec = importlib.util.find_spec(name)
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            spec = None
        if spec is None or spec.origin is None:
            raise InputError([document.problem(("corpus",), f"needs {name}, which is not installed", corpus.command)])
        folders[name] = Path(spec.origin).parent
    kept = cached(f"corpus-{content_hash(RECIPE, repr(versions), repr(folders))}", partial(_write, folders))
    train, held_out = ((kept / part).read_bytes() for part in _PARTS)
    sources = {name: (versions[name], package.licence) for name, package in corpus.packages.items()}
    return Text(train, held_out, sources, digest(train, held_out) == corpus.sha256)


def _write(folders: dict[str, Path], target: Path) -> None:
    for part, content in zip(_PARTS, docstrings(folders), strict=True):
        (target / part).write_bytes(content)


def docstrings(folders: dict[str, Path]) -> tuple[bytes, bytes]:
    """Return the paragraphs of the docstrings of packages, each once: those to train on, and those held out.

    Files are held out by the hash of their names; of their paragraphs, those that are also in the other files are left
    out. Tests and test helpers of the packages are not read.

    Parameters
    ----------
    folders
        Of each package, by its name.
    """
    parts: tuple[dict[str, None], dict[str, None]] = ({}, {})  # as ordered sets
    for package, root in folders.items():
        for file in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            if "/tests/" not in name and "/testing/" not in name:
                held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0
                parts[held_out].update(dict.fromkeys(_paragraphs(file.read_bytes())))
    held_out_only = [block for block in parts[1] if block not in parts[0]]
    return "\n\n".join(parts[0]).encode("ascii"), "\n\n".join(held_out_only).encode("ascii")


def _paragraphs(source: bytes) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in others' files
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):  # templates that are no Python
            return
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, _DOCUMENTED) else None
        for block in re.split(r"\n\s*\n", text) if text else ():
            if block.isascii() and block.strip():
                yield block.rstrip()
