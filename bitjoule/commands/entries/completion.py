"""``bitjoule completion``: a script with which a shell completes commands, options and names of files."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bitjoule.commands.options import folder
from bitjoule.commands.status import OK

SHELLS = ("bash", "zsh", "tcsh")
FILES = (Path, folder)  # types of arguments that are files or directories
NAMED_FILES = ("experiments", "sweep")  # names of what ships, or files


def add_completion(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", parser: argparse.ArgumentParser
) -> None:
    """Add ``completion``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    parser
        The whole command line.
    """
    completion = commands.add_parser(
        "completion", help="print a script for completion in a shell",
        description="Print a script with which a shell completes commands, options, their values and files. For bash, "
        "after mkdir -p ~/.local/share/bash-completion/completions: bitjoule completion bash > "
        "~/.local/share/bash-completion/completions/bitjoule. It needs the package shtab: "
        "pip install 'bitjoule[completion]'.",
    )  # fmt: skip
    completion.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS), help="the shell")
    completion.set_defaults(command=_completion, parser=parser)


def _completion(options: argparse.Namespace, _: object) -> int:
    from bitjoule.energy_models.inputs.errors import whole_file

    try:
        import shtab
    except ImportError:
        raise whole_file("completion", "shtab is not installed", "pip install 'bitjoule[completion]'") from None
    for action in _actions(options.parser):
        if action.type in FILES or action.dest in NAMED_FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(options.parser, options.shell))
    return OK


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a command line and of all its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
