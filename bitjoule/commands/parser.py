"""A parser of command lines that says which name was probably meant."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from bitjoule.energy_models.inputs.errors import choices, suggestion

CHOICE = re.compile(
    r"argument (?P<name>.+): invalid choice: (?P<quote>['\"])(?P<word>.*)(?P=quote) \(choose from (?P<known>.+)\)"
)


class Parser(argparse.ArgumentParser):
    """As `argparse.ArgumentParser`; its subparsers are of the same class.

    An unknown command, option or choice is answered by the nearest known one and the list of all.
    """

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse what is known; an unknown option is an error of the command whose options these are.

        Parameters
        ----------
        args, namespace
            As for `argparse.ArgumentParser`.
        """
        found, extra = super().parse_known_args(args, namespace)
        unknown = [word for word in extra if word.startswith("-")]
        if unknown and self._subparsers is None:
            known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
            word = unknown[0].split("=")[0]
            self.error(
                f"unknown option {word}{suggestion(word, known).replace(chr(39), '')}; expected {choices(known)}"
            )
        return found, extra

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong, and exit with status 2.

        Parameters
        ----------
        message
            What is wrong.
        """
        if found := CHOICE.fullmatch(message):
            known = re.findall(r"[^\s,'\"]+", found["known"])
            what = "value" if "|" in found["name"] else found["name"].lower()
            message = (
                f"unknown {what} {found['word']!r}{suggestion(found['word'], known)}; expected {choices(known, 20)}"
            )
        super().error(message)
