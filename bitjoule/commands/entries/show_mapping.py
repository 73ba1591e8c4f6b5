"""``bitjoule show mapping``: prints, saves or replays the mapping of one matmul."""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.errors import InputError, Problem, whole_file

HEADERS = ("operand", "action", "count", "unit", "energy (uJ)")
SIZE = re.compile(r"([1-9]\d{0,8})x([1-9]\d{0,6})x([1-9]\d{0,6})")


def add_options(show: argparse.ArgumentParser) -> None:
    """Add the arguments of ``show mapping``.

    Parameters
    ----------
    show
        Parser of ``bitjoule show``.
    """
    show.add_argument("matmul", nargs="?", metavar="MxKxN", help="(mapping only) matmul size, e.g. 512x3200x8640")
    show.add_argument("--scheme", help="(mapping only) number-format scheme")
    show.add_argument(
        "--technology", default="45nm", help="(mapping only) technology whose prices are used (default: %(default)s)"
    )
    show.add_argument(
        "--objective", default="energy", choices=("energy", "latency", "edp"),
        help="(mapping only) quantity to minimise; edp is the energy-delay product (default: %(default)s)",
    )  # fmt: skip
    show.add_argument("--save", type=Path, metavar="FILE", help="(mapping only) write the mapping to this file")
    show.add_argument(
        "--replay", type=Path, metavar="FILE", help="(mapping only) evaluate a saved mapping instead of the best one"
    )


def show_mapping(options: argparse.Namespace) -> str:
    """Return a mapping's loop nest, its accesses and its energy.

    Parameters
    ----------
    options
        Options of the command line; ``name`` is the platform.

    Raises
    ------
    InputError
        A name is unknown, or the platform cannot run the matmul.
    """
    from tabulate import tabulate

    from bitjoule.energy_models.formats.schemes import schemes
    from bitjoule.energy_models.inputs.documents import is_path
    from bitjoule.energy_models.inputs.validation import unknown_name
    from bitjoule.energy_models.prices.technology import technologies
    from bitjoule.energy_models.system.counting.quantities import matmul_energies
    from bitjoule.energy_models.system.hardware.machine import Machine
    from bitjoule.energy_models.system.mappings import loopnest
    from bitjoule.energy_models.system.mappings.mapping import Objective
    from bitjoule.energy_models.system.mappings.search import search
    from bitjoule.energy_models.system.platform.accesses import UnpricedError
    from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
    from bitjoule.energy_models.system.work.steps import MatmulKind

    def entry_named(kind: str, name: str | None, entries: Mapping[str, Any]) -> Any:
        if name is None or name not in entries:
            wrong, expected = unknown_name(kind, name, entries) if name else (f"no {kind}", f"--{kind} NAME")
            raise InputError([Problem("show mapping", 1, kind, wrong, expected)])
        return entries[name]

    is_file = is_path(options.name)
    platform = read_platform(Path(options.name)) if is_file else entry_named("platform", options.name, platforms())
    size = SIZE.fullmatch(options.matmul or "")
    if size is None:
        raise InputError(
            [
                Problem(
                    "show mapping",
                    1,
                    "matmul",
                    "is missing" if options.matmul is None else f"got {options.matmul!r}",
                    "MxKxN, e.g. 512x3200x8640, K and N below 10000000",
                )
            ]
        )
    m, k, n = map(int, size.groups())
    name = Path(options.name).stem if is_file else options.name
    scheme = entry_named("scheme", options.scheme, schemes())
    machine = Machine(scheme, platform, entry_named("technology", options.technology, technologies()), name)
    try:
        problem = machine.problem(MatmulKind.STANDALONE, m, k, n, resident=False, reserved_bits=0.0)
    except UnpricedError as error:
        raise InputError([Problem("show mapping", 1, "platform", *error.args)]) from None
    if options.replay:
        mapping = loopnest.replayed(options.replay, loopnest.read(options.replay), problem)
    else:
        best = search(problem, Objective(options.objective))
        if best is None:
            raise whole_file(options.name, "no tile of this matmul fits into the buffers", "larger buffers")
        mapping = best
    names = {"platform": name, "scheme": options.scheme, "technology": options.technology}
    if options.save:
        loopnest.save(options.save, names, problem, mapping)
    selected = f"replayed from {options.replay}" if options.replay else f"minimum {options.objective}"
    rows = [
        (row.operand, row.action, f"{row.times:.6g}", row.unit, f"{row.energy_pj / 1e6:.6g}")
        for row in matmul_energies(machine, problem, mapping)
    ]
    total_uj = sum(row.energy_pj for row in matmul_energies(machine, problem, mapping)) / 1e6
    levels = ", ".join(platform.levels or ())
    behind = [f"off-chip accesses pass {levels} first: not counted here"] if levels else []
    moved = mapping.traffic
    array = problem.array
    least = m * k * n / (array.lanes * array.columns * array.copies)
    return "\n".join(
        [
            f"({m}, {k}) @ ({k}, {n}) on {name}, {options.scheme}, {options.technology}: {selected}",
            "",
            loopnest.loop_nest(problem, mapping),
            "",
            tabulate(rows, HEADERS, colalign=("left", "left", "right", "left", "right"), disable_numparse=True),
            "",
            f"total {total_uj:.6g} uJ; {moved.cycles:.0f} cycles, {moved.compute_cycles:.0f} of them compute cycles "
            f"(lower bound {least:.0f}); {1e3 * moved.cycles / machine.clock_mhz / 1e6:.4g} ms",
            *behind,
        ]
    )
