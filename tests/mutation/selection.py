"""Which test files can see a module: those that import it, its own first, then by how many imports lie between."""

import ast
import tomllib
from functools import cache
from pathlib import Path

ROOT = "bitjoule"


class Imports:
    """The imports of a tree: product and tests, by file relative to the tree."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        files = [path for path in tree.rglob("*.py") if not any(part.startswith(".") for part in path.parts)]
        # The links in bitjoule/ are not followed by rglob: bitjoule.sim.x is sim/x.py.
        self.files = {path.relative_to(tree): path for path in files}
        self.seen_from = {path: self._imported(path) for path in self.files}
        for conftest in [path for path in self.files if path.name == "conftest.py"]:
            fixtures = _fixtures(self.files[conftest])
            for path in self.files:  # a test that asks for a fixture runs what the fixture imports
                if path.is_relative_to(conftest.parent) and fixtures & _arguments(self.files[path]):
                    self.seen_from[path].add(conftest)
        project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for group, entries in project.get("entry-points", {}).items():  # a package finds its plug-ins by these
            if (finder := self._file(group)) is not None:
                named = (self._file(value.split(":")[0]) for value in entries.values())
                self.seen_from[finder] |= {file for file in named if file is not None}

    def _imported(self, path: Path) -> set[Path]:
        found = set()
        for node in ast.walk(ast.parse(self.files[path].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names = self._named(node.value)
            else:
                continue
            found |= {file for name in names if (file := self._file(name)) is not None}
        return found

    def _named(self, text: str) -> list[str]:
        """Return the modules that a string names, for another process or to import them by name."""
        if not text.startswith(f"{ROOT}."):
            return []
        if not text.endswith("."):
            return [text.split(":")[0]]
        folder = Path(*text.split(".")[1:-1])  # the beginning of an f-string
        return [".".join((ROOT, *path.with_suffix("").parts)) for path in self.files if path.parent == folder]

    def _file(self, name: str) -> Path | None:
        parts = name.split(".")
        for start in (parts, parts[1:]) if parts[0] == ROOT else (parts,):
            for file in (Path(*start).with_suffix(".py"), Path(*start) / "__init__.py") if start else ():
                if file in self.files:
                    return file
        return None

    @cache  # noqa: B019 (one object a run)
    def tests_of(self, module: Path) -> tuple[Path, ...]:
        """Return the test files that import a module, itself or through others: those nearest to it first."""
        distance = {module: 0}
        layer = {module}
        while layer:
            layer = {path for path, seen in self.seen_from.items() if seen & layer and path not in distance}
            distance |= dict.fromkeys(layer, max(distance.values()) + 1)
        tests = [path for path in distance if path.name.startswith("test_") and path.parts[0] == "tests"]
        mirror = Path("tests", module.parent, f"test_{module.name}")
        near = {path: len(set(path.parts) & set(module.parts)) for path in tests}
        return tuple(sorted(tests, key=lambda path: (path != mirror, -near[path], distance[path], path)))


def _functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]


def _fixtures(path: Path) -> set[str]:
    return {node.name for node in _functions(path) if any("fixture" in ast.dump(mark) for mark in node.decorator_list)}


@cache
def _arguments(path: Path) -> set[str]:
    return {argument.arg for node in _functions(path) for argument in node.args.args}
