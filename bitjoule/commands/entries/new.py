"""``bitjoule new``: commented files to start from."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bitjoule.commands.status import OK

TEMPLATES = Path(__file__).parents[2] / "templates"
NEXT = {
    "accelerator": "verify it with `bitjoule rtl verify {}`",
    "experiment": "check it with `bitjoule check {0}`, run it with `bitjoule run {0}`",
    "exploration": "check it with `bitjoule check {0}`, run it with `bitjoule explore {0}`",
    "explorer": "make a page of its sweep with `bitjoule explorer {}`",
    "platform": "name it in an experiment: `platforms: [{0}]`; `bitjoule show platform {0}` prints it whole",
    "technology": "name it in an experiment: `technologies: [{0}]`; `bitjoule show technology {0}` prints its prices",
}


def add_new(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``new``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    kinds = sorted(template.stem for template in TEMPLATES.iterdir() if template.suffix in (".yaml", ".csv"))
    new = commands.add_parser(
        "new", help="write a commented file to start from",
        description="Write a commented, valid file to start from. A file that exists is not changed.",
    )  # fmt: skip
    new.add_argument("kind", choices=kinds, metavar="|".join(kinds), help="what the file describes")
    new.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="file to write (default: my_KIND.yaml; of a technology, a table, my7nm.csv)",
    )
    new.set_defaults(command=_new)


def template(kind: str) -> Path:
    """Return the file that ``new`` copies.

    Parameters
    ----------
    kind
        What the file describes.
    """
    return next(TEMPLATES.glob(f"{kind}.*"))


def _new(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.commands.files import YAML, check_output, write_whole
    from bitjoule.energy_models.inputs.errors import whole_file

    source = template(options.kind)
    output = options.output or Path("my7nm.csv" if options.kind == "technology" else f"my_{source.name}")
    check_output(output, YAML if source.suffix in YAML else (source.suffix,))
    if output.exists():
        raise whole_file(str(output), "exists", "the name of a new file, with -o FILE")
    write_whole(output, source.read_text(encoding="utf-8"))
    print(f"{output}: {options.kind}; {NEXT[options.kind].format(output)}")
    return OK
