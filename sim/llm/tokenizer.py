"""Text to tokens and back: bytes or characters for our own models, ``tokenizer.json`` for those of Hugging Face."""

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from bitjoule.energy_models.inputs.documents import read_text
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, choices, whole_file

VOCABULARY = "vocabulary.json"
KINDS = ("bytes", "characters")


class UnknownTextError(ValueError):
    """A tokenizer cannot encode a text; the arguments are what is wrong with it, and what was expected."""


class Tokenizer(Protocol):
    """Turns text into ids and ids into text."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text.

        Parameters
        ----------
        text
            The prompt.

        Raises
        ------
        UnknownTextError
            The vocabulary cannot encode it.
        """
        ...

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield the text of each token as it comes; text that a token leaves unfinished comes with a later one.

        Parameters
        ----------
        tokens
            Ids of the vocabulary.
        """
        ...


class ByteTokenizer:
    """UTF-8 bytes are the ids, 0 to 255."""

    def encode(self, text: str) -> list[int]:
        """Return the bytes; see `Tokenizer.encode`."""
        return list(text.encode("utf-8", "surrogatepass"))

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield whole characters, � for bytes that are no UTF-8; see `Tokenizer.stream`."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in tokens:
            yield decoder.decode(bytes([token]))
        yield decoder.decode(b"", final=True)


class CharacterTokenizer:
    """An id for each character of a vocabulary.

    Parameters
    ----------
    characters
        Each once; the place is the id.
    """

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: index for index, character in enumerate(self.characters)}

    def encode(self, text: str) -> list[int]:
        """Return the ids; see `Tokenizer.encode`."""
        unknown = next((character for character in text if character not in self._ids), None)
        if unknown is not None:
            allowed = brief("".join(self.characters), 200)
            raise UnknownTextError(f"has {unknown!r}", f"only characters of {allowed}")
        return [self._ids[character] for character in text]

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield characters; see `Tokenizer.stream`."""
        for token in tokens:
            yield self.characters[token]


class IdTokenizer:
    """No tokenizer: a prompt is ids with spaces or commas between them, and so is the answer.

    Parameters
    ----------
    why
        Reason, for the message when a prompt is something else.
    """

    def __init__(self, why: str) -> None:
        self.why = why

    def encode(self, text: str) -> list[int]:
        """Return the ids; see `Tokenizer.encode`."""
        words = text.replace(",", " ").split()
        if not all(word.isascii() and word.isdecimal() and len(word) < 20 for word in words):
            raise UnknownTextError(f"got {brief(text)}", f"token ids: {self.why}")
        return [int(word) for word in words]

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield the ids; see `Tokenizer.stream`."""
        for index, token in enumerate(tokens):
            yield f" {token}" if index else str(token)


class LibraryTokenizer:
    """A ``tokenizer.json``, run by the library `tokenizers`.

    Parameters
    ----------
    tokenizer
        `tokenizers.Tokenizer`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """Return the ids, with the model's own first token if it has one; see `Tokenizer.encode`."""
        return list(self._tokenizer.encode(text).ids)

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield text once it can no longer change; see `Tokenizer.stream`."""
        from tokenizers.decoders import DecodeStream

        decoder = DecodeStream(skip_special_tokens=True)
        waiting: list[int] = []  # of a character that is not complete
        for token in tokens:
            text = decoder.step(self._tokenizer, token)
            waiting = [*waiting, token] if text is None else []
            if text is not None:
                yield text
        if waiting:
            yield self._tokenizer.decode(waiting)


def read_tokenizer(folder: Path, kind: str | None, vocabulary: int, file: str | None = None) -> Tokenizer:
    """Return the tokenizer of a model's folder.

    Parameters
    ----------
    folder
        The model's.
    kind
        ``bytes``, ``characters`` (``vocabulary.json``: a list of single characters), or None: ``tokenizer.json`` if it
        and the library are there, token ids otherwise.
    vocabulary
        Rows of the embedding; every id must be below.
    file
        The folder's name in messages; default: `folder`.

    Raises
    ------
    InputError
        An unknown kind, or a vocabulary that cannot be read or is larger than the embedding.
    """
    file = file or str(folder)
    if kind == "bytes":
        if vocabulary < 256:
            raise whole_file(f"{file}/config.json", f"has a vocabulary of {vocabulary}", "256 for a tokenizer of bytes")
        return ByteTokenizer()
    if kind == "characters":
        return _characters(folder / VOCABULARY, f"{file}/{VOCABULARY}", vocabulary)
    if kind is not None:
        raise InputError([Problem(f"{file}/config.json", 1, "bitjoule.tokenizer", brief(kind), choices(KINDS))])
    if not (folder / "tokenizer.json").is_file():
        return IdTokenizer(f"{file} has no tokenizer.json")
    if find_spec("tokenizers") is None:
        return IdTokenizer("the package tokenizers is not installed (pip install 'bitjoule[models]')")
    return _library(folder / "tokenizer.json", f"{file}/tokenizer.json", vocabulary)


def _characters(path: Path, file: str, vocabulary: int) -> Tokenizer:
    try:
        characters = json.loads(read_text(path, file))
    except (ValueError, RecursionError) as error:
        raise whole_file(file, f"JSON: {brief(str(error), 200)[1:-1]}", "valid JSON") from None
    valid = isinstance(characters, list) and all(isinstance(item, str) and len(item) == 1 for item in characters)
    if not valid or len(set(characters)) < len(characters):
        raise whole_file(file, "is not a list of distinct single characters", "a JSON array of distinct characters")
    if len(characters) != vocabulary:
        raise whole_file(file, f"has {len(characters)} characters", f"{vocabulary}, the vocabulary size in config.json")
    return CharacterTokenizer(characters)


def _library(path: Path, file: str, vocabulary: int) -> Tokenizer:
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise whole_file(file, brief(str(error), 200)[1:-1], "a tokenizer.json") from None
    if tokenizer.get_vocab_size() > vocabulary:
        raise whole_file(
            file,
            f"has {tokenizer.get_vocab_size()} tokens",
            f"at most {vocabulary}, the vocabulary size in config.json",
        )
    return LibraryTokenizer(tokenizer)
