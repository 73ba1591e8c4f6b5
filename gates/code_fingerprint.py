"""A hash of the code and data that decide a result, so that stored results of other code are not taken for it."""

import ast
import importlib.metadata
from functools import cache
from pathlib import Path

from bitjoule.sim.accelerator.build_cache import content_hash

_FOLDER = Path(__file__).parent
_PACKAGE = "bitjoule.gates"


@cache
def code_fingerprint(module: str) -> str:
    """Return a hash of a module, of all modules of this package that it imports, of the data, and of Yosys's version.

    Parameters
    ----------
    module
        Dotted name of a module of `bitjoule.gates`.
    """
    modules = sorted(imported_modules(module))
    data = [path for pattern in ("data/*.csv", "power/native/*") for path in sorted(_FOLDER.glob(pattern))]
    return content_hash(
        importlib.metadata.version("pyosys"), *(path.read_bytes() for path in (*map(_file, modules), *data))
    )


def imported_modules(module: str) -> set[str]:
    """Return a module and every module of this package that it imports, directly or not.

    Parameters
    ----------
    module
        As of `code_fingerprint`.
    """
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _direct_imports(name)
    return reached


def _direct_imports(module: str) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.startswith(f"{_PACKAGE}.") and _file(name).is_file()]


def _file(module: str) -> Path:
    path = _FOLDER.joinpath(*module.removeprefix(f"{_PACKAGE}.").split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
