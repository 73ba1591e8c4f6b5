"""The text of a Liberty file as one piece: decoded, without comments, lines joined, files included, a pin a group."""

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from bitjoule.gates.liberty.text import LibertyError

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_COMMENT = re.compile(r'^(?=.*//)((?:[^"\n]|"[^"\n]*")*?)//.*$', re.MULTILINE)
_CONTINUED = re.compile(r"\\[ \t]*\n")
_INCLUDE = re.compile(r'\binclude_file\s*\(\s*"?([^()"]+?)"?\s*\)\s*;?')
_PIN = re.compile(r'\bpin\s*\(\s*([^()]*[^()\s",][\s",]+[^()\s",][^()]*)\)\s*\{')
_BRACE = re.compile(r'"[^"]*"|[{}]')
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class LibertyText:
    """A Liberty file's text, and the files that it was read from: itself first, then those that it includes."""

    text: str
    files: tuple[Path, ...]


def read_source(path: Path) -> LibertyText:
    """Return the text of a Liberty file and of all that it includes.

    Raises
    ------
    LibertyError
        A file cannot be read, is not text or includes itself.
    """
    text, files = _included(path, ())
    return LibertyText(_single_pins(text), files)


def _included(path: Path, outer: tuple[Path, ...]) -> tuple[str, tuple[Path, ...]]:
    """Return a file's text with the text of others where it includes them; each path is relative to its file."""
    text = without_comments(read_text(path))
    files = [path]
    pieces, end = [], 0
    chain = (*outer, path.resolve())
    for match in _INCLUDE.finditer(text):
        inner = path.parent / match[1].strip()
        if inner.resolve() in chain:
            raise LibertyError(
                f"{path}: include_file ({match[1]}) includes {inner.name} recursively; expected another file"
            )
        if not inner.is_file():
            raise LibertyError(f"{path}: include_file ({match[1]}): {inner}: file not found; expected a Liberty file")
        included, further = _included(inner, chain)
        pieces += [text[end : match.start()], included]
        files += further
        end = match.end()
    return "".join([*pieces, text[end:]]), tuple(dict.fromkeys(files))


def read_text(path: Path) -> str:
    """Return the text of a Liberty file, gzipped or not: UTF-8, or else Latin-1.

    Raises
    ------
    LibertyError
        The file cannot be read or is not text.
    """
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise LibertyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if _BINARY.search(text):
        raise LibertyError(f"{path}: is not text; expected a Liberty file, plain or gzipped")
    if not text.strip():
        raise LibertyError(f"{path}: is empty; expected a Liberty file")
    return text.replace("\r\n", "\n")


def without_comments(text: str) -> str:
    """Return a Liberty text with its comments removed and its continued lines joined."""
    text = _COMMENT.sub("", text)
    if "//" in text:
        text = _LINE_COMMENT.sub(r"\1", text)
    return _CONTINUED.sub("", text)


def _single_pins(text: str) -> str:
    """Return a text in which each ``pin (A, B) { ... }`` is written once for each pin: Yosys and ABC read no lists."""
    pieces, end = [], 0
    for match in _PIN.finditer(text):
        if match.start() < end:
            continue
        close = _closing(text, match.end())
        body = text[match.end() : close]
        names = match[1].replace('"', " ").replace(",", " ").split()
        pieces += [text[end : match.start()], *(f"pin ({name}) {{{body}" for name in names)]
        end = close
    return "".join([*pieces, text[end:]])


def _closing(text: str, start: int) -> int:
    """Return where a group that began before `start` is over; the text's end if it never is."""
    depth = 1
    for match in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return len(text)
