"""Few modules know the experiment that was read: the others take cases, tables and small values.

An experiment is of one kind, and is handed to no module of another.
"""

import ast
import re
from pathlib import Path

import pytest

from bitjoule.kinds import BUILT_IN

ROOT = Path(__file__).parents[2]
FOLDERS = ("bitjoule/kinds", "bitjoule/commands", "experiments", "reports")  # below them no module can know one
HOLDERS = {"Experiment", "Resolved", "Ready", "Task"}  # the experiment as read, and what holds it
MOST = 12


def held_by(tree: ast.Module) -> set[str]:
    """Return what of `HOLDERS` a module's parameters and fields are annotated with."""
    annotations = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign)]
    text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation is not None)
    return HOLDERS & set(re.findall(r"\w+", text))


@pytest.mark.parametrize("kind", sorted(BUILT_IN))
def test_the_experiment_is_handed_to_at_most_twelve_modules(kind):
    files = [*(ROOT / "bitjoule").glob("*.py")]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    reached = {path.relative_to(ROOT).as_posix(): held_by(ast.parse(path.read_text())) for path in files}
    of_others = {f"bitjoule/kinds/{name}.py" for name in BUILT_IN} - {f"bitjoule/kinds/{kind}.py"}
    reached = {path: names for path, names in reached.items() if names and path not in of_others}
    assert {"experiments/energy/runner.py", f"bitjoule/kinds/{kind}.py"} <= set(reached)
    assert len(reached) <= MOST, "\n".join(sorted(reached))
