"""Few modules know the experiment that was read: the others take cases, tables and small values."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("bitjoule/kinds", "bitjoule/commands", "experiments", "reports")  # below them no module can know one
HOLDERS = {"Experiment", "Resolved", "Ready", "Task"}  # the experiment as read, and what holds it
MOST = 12


def held_by(tree: ast.Module) -> set[str]:
    """Return what of `HOLDERS` a module's parameters and fields are annotated with."""
    annotations = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign)]
    text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation is not None)
    return HOLDERS & set(re.findall(r"\w+", text))


def test_the_experiment_is_handed_to_at_most_twelve_modules():
    files = [*(ROOT / "bitjoule").glob("*.py")]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    reached = {path.relative_to(ROOT).as_posix(): held_by(ast.parse(path.read_text())) for path in files}
    reached = {path: names for path, names in reached.items() if names}
    assert "experiments/energy/runner.py" in reached
    assert len(reached) <= MOST, "\n".join(sorted(reached))
