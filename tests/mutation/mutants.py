"""A seeded sample of mutants: cosmic-ray's operators on the product's modules, stratified over its packages.

cosmic-ray has ten replacements for a `+` and two for a number, so its list is mostly arithmetic replaced in odd ways.
Here a place in the code is drawn first, then what it becomes. Annotations are left out: changing one changes nothing,
or fails on import. So is `strict=True` of a zip: it changes nothing unless there is another fault. Modules are found in
the tree, so that they may move.
"""

import ast
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

PACKAGES = ("energy_models", "experiments", "reports", "gates", "sim")
ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}


class Mutant(NamedTuple):
    """One change of one module; `path` is relative to the tree, `line` counts from 1."""

    path: Path
    operator: str
    occurrence: int
    line: int
    column: int

    def apply(self, code: str) -> str:
        """Return the changed code."""
        return str(mutate_code(code, get_operator(self.operator)(), self.occurrence))


def modules(tree: Path, package: str) -> list[Path]:
    """Return a package's modules, relative to the tree."""
    return sorted(path.relative_to(tree) for path in (tree / package).rglob("*.py") if path.name != "__init__.py")


def places(tree: Path, path: Path) -> dict[tuple[int, int], list[Mutant]]:
    """Return every mutant of a module, by line and column."""
    found = defaultdict(list)
    left_out = set(_left_out((tree / path).read_text(encoding="utf-8")))
    nodes = list(ast_nodes(get_ast_from_path(tree / path)))
    for name in operator_names():
        operator_class = get_operator(name)
        if operator_class.arguments() or not _likely(name):
            continue
        operator = operator_class()
        spots = (start for node in nodes for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(spots):
            if (line, column) not in left_out:
                found[line, column].append(Mutant(path, name, occurrence, line, column))
    return found


def _likely(operator: str) -> bool:
    """Return whether a programmer could make the mistake: arithmetic on bits is only a type error."""
    name, *pair = operator.rpartition("/")[2].split("_")
    return name != "ReplaceBinaryOperator" or len(ARITHMETIC & set(pair)) in (0, 2)


def _left_out(code: str) -> Iterator[tuple[int, int]]:
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        strict = node.value if isinstance(node, ast.keyword) and node.arg == "strict" else None
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None), strict):
            for line in range(part.lineno, part.end_lineno + 1) if part is not None else ():
                start = part.col_offset if line == part.lineno else 0
                stop = part.end_col_offset if line == part.end_lineno else len(lines[line - 1])
                yield from ((line, column) for column in range(start, stop))


def sample(tree: Path, count: int, seed: int, packages: tuple[str, ...] = PACKAGES) -> Iterator[Mutant]:
    """Yield mutants, as many of each package as of any other, in an order that mixes the packages.

    Modules are drawn by their length, so that only those drawn are read, and only when it is their turn.
    """
    draw, drawn = random.Random(seed), []
    for i, package in enumerate(packages):
        share = count // len(packages) + (i < count % len(packages))
        paths = modules(tree, package)
        lengths = [len((tree / path).read_text(encoding="utf-8").splitlines()) for path in paths]
        drawn += draw.choices(paths, lengths, k=share)
    draw.shuffle(drawn)
    left: dict[Path, Iterator[Mutant]] = {}
    for path in drawn:
        if path not in left:
            left[path] = every_place(tree, [path], draw.randrange(2**32))
        yield from itertools.islice(left[path], 1)


def every_place(tree: Path, paths: list[Path], seed: int) -> Iterator[Mutant]:
    """Yield a mutant of each place of some modules, in an order that mixes them."""
    draw = random.Random(seed)
    drawn = [draw.choice(mutants) for path in paths for _, mutants in sorted(places(tree, path).items())]
    draw.shuffle(drawn)
    yield from drawn
