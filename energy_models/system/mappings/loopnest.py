"""A mapping as text: as a loop nest, and as a YAML file that can be replayed."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import InputError, whole_file
from bitjoule.energy_models.inputs.validation import Strict, validate
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.inputs.yaml_core import write_yaml
from bitjoule.energy_models.system.mappings.mapping import LOOPS, Mapping, MatmulProblem, Tiles, ceil, replay
from bitjoule.energy_models.system.mappings.search import fits

Loop = Literal["m", "k", "n"]


class TileSize(Strict):
    """Tokens, in_features and out_features of a tile."""

    m: int = Field(ge=1)
    k: int = Field(ge=1)
    n: int = Field(ge=1)


class SavedLevel(Strict):
    """One level's tile, and the innermost of the loops over its tiles."""

    tile: TileSize
    innermost: Loop


class SavedMapping(Strict):
    """The file that ``bitjoule show mapping --save`` writes."""

    platform: str
    scheme: str
    technology: str
    matmul: TileSize
    buffer: SavedLevel
    array: SavedLevel


def loop_nest(problem: MatmulProblem, mapping: Mapping) -> str:
    """Return the loops of a mapping, outermost first.

    Parameters
    ----------
    problem, mapping
        The matmul, and how it runs.
    """
    sizes, tiles = _sizes(problem, mapping.tiles)
    outer = dict(zip(LOOPS, (problem.m, problem.k, problem.n), strict=True))
    lines = []
    depth = 0
    for name, inside, innermost in (("buffer", sizes["buffer"], tiles.inner1), ("array", sizes["array"], tiles.inner0)):
        innermost_loop = LOOPS[int(innermost)]
        for loop in (*(loop for loop in ("n", "m", "k") if loop != innermost_loop), innermost_loop):
            count = ceil(outer[loop], inside[loop])
            if count > 1:
                lines.append(f"{'  ' * depth}for {loop} in 0..{outer[loop]:g} by {inside[loop]:g}  # {count:g} times")
                depth += 1
        shape = f"{counted(int(inside['m']), 'token')} x {inside['k']:g} in x {inside['n']:g} out"
        lines.append(f"{'  ' * depth}{name}: a tile of {shape}")
        depth += 1
        outer = inside
    array = problem.array
    blocks = counted(int(tiles.k0 * tiles.n0), "block")
    rate = "one token a cycle" if array.copies == 1 else f"one token a cycle in each of {array.copies} copies"
    lines.append(f"{'  ' * depth}array: {blocks} of {array.lanes} x {array.columns}, {rate}")
    return "\n".join(lines)


def _sizes(problem: MatmulProblem, tiles: Tiles) -> tuple[dict[str, dict[str, float]], Tiles]:
    """Return the tile of each level in tokens and features."""
    array = problem.array

    def level(m: float, k: float, n: float) -> dict[str, float]:
        return {"m": m, "k": min(k * array.lanes, problem.k), "n": min(n * array.columns, problem.n)}

    return {"buffer": level(*tiles[:3]), "array": level(*tiles[3:6])}, tiles


def save(path: Path, names: dict[str, str], problem: MatmulProblem, mapping: Mapping) -> None:
    """Write a mapping to a file.

    Parameters
    ----------
    path
        The file; it is replaced atomically.
    names
        Platform, scheme and technology.
    problem, mapping
        The matmul, and how it runs.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    sizes, tiles = _sizes(problem, mapping.tiles)
    data: dict[str, Any] = {**names, "matmul": {"m": int(problem.m), "k": int(problem.k), "n": int(problem.n)}}
    for level, innermost in (("buffer", tiles.inner1), ("array", tiles.inner0)):
        tile = {loop: int(size) for loop, size in sizes[level].items()}
        data[level] = {"tile": tile, "innermost": LOOPS[int(innermost)]}
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise whole_file(str(path), "is not a regular file", "a file, new or to be replaced")
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(write_yaml(data, 80), encoding="utf-8")
        temporary.replace(path)
    except (OSError, ValueError) as error:  # ValueError: no name, or a null byte in it
        wrong = f"cannot be written: {getattr(error, 'strerror', None) or error}"
        raise whole_file(str(path), wrong, "a file that can be written") from None


def read(path: Path) -> SavedMapping:
    """Read a saved mapping.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        It is not a saved mapping.
    """
    return validate(SavedMapping, read_document(path))


def replayed(path: Path, saved: SavedMapping, problem: MatmulProblem) -> Mapping:
    """Return a saved mapping with what it moves.

    Parameters
    ----------
    path, saved
        The file, and its content.
    problem
        Its matmul on its machine.

    Raises
    ------
    InputError
        It is a mapping of another matmul, or its tiles do not fit the machine.
    """
    array = problem.array
    matmul = TileSize(m=int(problem.m), k=int(problem.k), n=int(problem.n))
    if saved.matmul != matmul:
        wrong = f"is a mapping for {saved.matmul.m}x{saved.matmul.k}x{saved.matmul.n}"
        expected = f"a mapping for {matmul.m}x{matmul.k}x{matmul.n}"
        raise InputError([read_document(path).problem(("matmul",), wrong, expected)])

    def blocks(tile: TileSize) -> tuple[float, float, float]:
        return (
            min(tile.m, problem.m),
            float(ceil(min(tile.k, problem.k), array.lanes)),
            float(ceil(min(tile.n, problem.n), array.columns)),
        )

    inner = (LOOPS.index(saved.buffer.innermost), LOOPS.index(saved.array.innermost))
    tiles = Tiles(*blocks(saved.buffer.tile), *blocks(saved.array.tile), *inner)
    if not fits(problem, tiles):
        wrong = "the tiles do not fit the registers, accumulators or buffers of the platform"
        expected = "smaller tiles, the array's within the buffer's, e.g. those that the search finds"
        raise InputError([read_document(path).problem(("buffer",), wrong, expected)])
    return replay(problem, tiles)
