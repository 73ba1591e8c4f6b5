"""The commands that README and the pages show: what they are, and what each needs to run as it stands.

`commands.yaml` says which commands are dear and which cannot run here, `user_files.py` makes the files that they name.
"""

import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bitjoule.experiments.files import shipped_experiments

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY_SHELL = re.compile(r"^```sh[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_OTHERS = ("make", "python", "pytest", "pip", "git", "dask")  # whose commands the text shows, too
FORM = re.compile(r"(.*[/=])?[A-Z]+(\.\.\.)?|CONFIG\.yaml")  # in place of a name, as in `show model NAME`
RULES = yaml.safe_load((Path(__file__).with_name("commands.yaml")).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Shown:
    """A command on a page.

    Parameters
    ----------
    page
        Path from the root of the repository.
    words
        Program and arguments, without redirections.
    block
        Whether it stands in a block, or in the text.
    into
        The file that its output goes to, or none.
    """

    page: str
    words: tuple[str, ...]
    block: bool
    into: str | None = None

    @property
    def text(self) -> str:
        """Return the arguments as they are matched by the rules."""
        return " ".join(self.words[1:])


def relative(page: Path) -> str:
    """Return where a page lies in the repository."""
    return page.relative_to(ROOT).as_posix()


@cache
def shown(page: Path) -> tuple[Shown, ...]:
    """Return the commands of a page, of every program, in their order; those in the text after those in blocks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = [line for block in ANY_SHELL.findall(text) for line in block.splitlines()]
    prose = " ".join(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL).split())
    inline = re.findall(rf"`((?:bitjoule|{'|'.join(OF_OTHERS)}) [a-z.'-][^`]*)`", prose)
    found = [*_commands(page, blocks, block=True), *_commands(page, inline, block=False)]
    return tuple(dict.fromkeys(found))


def _commands(page: Path, lines: list[str], block: bool) -> Iterator[Shown]:
    for line in lines:
        words = shlex.split(line, comments=True)
        if not words:
            continue
        cut = next((i for i, word in enumerate(words) if word in (">", "|", "&&", "&") or word[:2] == "2>"), len(words))
        into = words[cut + 1] if words[cut : cut + 1] == [">"] else None
        yield Shown(relative(page), tuple(words[:cut]), block, into)


def of_bitjoule(page: Path) -> list[Shown]:
    """Return the commands of bitjoule on a page."""
    return [command for command in shown(page) if command.words[0] == "bitjoule"]


def is_form(command: Shown) -> bool:
    """Return whether a command has a placeholder where a user writes a name."""
    return any(FORM.fullmatch(word) or word == "..." for word in command.words[1:])


def is_name(command: Shown, parser: ArgumentParser) -> bool:
    """Return whether the text names a command or an option of it, as in "`bitjoule compare` says why"."""
    words = [word for word in command.words[1:] if not word.startswith("-")]
    while words and (action := next((a for a in parser._actions if isinstance(a, _SubParsersAction)), None)):
        if words[0] not in action.choices:
            return False
        parser = action.choices[words.pop(0)]
    return not command.block and (not words or (command.words[1] == "show" and len(words) == 1))


def in_the_gallery(command: Shown) -> bool:
    """Return whether a command runs shipped experiments and nothing else: their tables are held to a fresh run."""
    run, *names = command.words[1:] or ("",)
    return run == "run" and bool(names) and set(names) <= set(shipped_experiments())


def rule(kind: str, command: Shown) -> dict[str, Any] | None:
    """Return the first row of the rules of a kind that a command matches as a whole."""
    rows: list[dict[str, Any]] = RULES[kind]
    text = " ".join(command.words) if kind == "others" else command.text
    return next((row for row in rows if re.fullmatch(row["command"], text)), None)


def ran_whole(page: str) -> bool:
    """Return whether a test of its own runs the blocks of a page, as they stand and in their order."""
    return any(page.startswith(place) for place in RULES["whole"])
