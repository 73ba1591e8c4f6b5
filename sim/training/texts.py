"""The text of a training, in two parts that share no paragraph: of named corpora, or of a user's files."""

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from bitjoule.energy_models.inputs.documents import Document, KeyPath, parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.training.config import CorpusOfFiles, TrainingFile
from bitjoule.sim.training.corpora import NamedCorpus, corpora
from bitjoule.sim.training.paragraphs import RECIPES, Recipe

HELD_OUT_SHARE = 20  # one file in so many
RECIPE = "1"  # of the text: the cache keeps one for each
MAX_TEXT_BYTES = 4 << 30
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
    kind = [] if corpus.paragraphs == "blocks" else [corpus.paragraphs]
    name = f"corpus-{content_hash(RECIPE, repr(versions), repr(folders), *kind)}"
    kept = cached(name, partial(_write, folders, RECIPES[corpus.paragraphs]))
    train, held_out = ((kept / part).read_bytes() for part in _PARTS)
    sources = {name: (versions[name], package.licence) for name, package in corpus.packages.items()}
    return Text(train, held_out, sources, digest(train, held_out) == corpus.sha256)


def named_text(name: str) -> Text:
    """Return the text of a corpus.

    Parameters
    ----------
    name
        Of `bitjoule.sim.training.corpora`.

    Raises
    ------
    InputError
        A package is not installed.
    """
    return of_packages(corpora()[name], parse_document(f"corpus: {name}\n", "corpora.yaml"))


def _write(folders: dict[str, Path], recipe: Recipe, target: Path) -> None:
    for part, content in zip(_PARTS, docstrings(folders, recipe), strict=True):
        (target / part).write_bytes(content)


def docstrings(folders: dict[str, Path], recipe: Recipe) -> tuple[bytes, bytes]:
    """Return the paragraphs of the docstrings of packages, each once: those to train on, and those held out.

    Files are held out by the hash of their names; of their paragraphs, those that are also in the other files are left
    out. Tests and test helpers of the packages are not read.

    Parameters
    ----------
    folders
        Of each package, by its name.
    recipe
        What is taken of a file.
    """
    parts: tuple[dict[str, None], dict[str, None]] = ({}, {})  # as ordered sets
    for package, root in folders.items():
        for file in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
            name = f"{package}/{file.relative_to(root).as_posix()}"
            if not any(folder in name for folder in recipe.left_out):
                held_out = int(hashlib.sha256(name.encode()).hexdigest(), 16) % HELD_OUT_SHARE == 0
                parts[held_out].update(dict.fromkeys(recipe.paragraphs(file.read_bytes())))
    held_out_only = (block for block in parts[1] if block not in parts[0])
    return recipe.joined(iter(parts[0])).encode("ascii"), recipe.joined(held_out_only).encode("ascii")
