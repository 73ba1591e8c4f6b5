"""The notebooks of the documentation run as they stand, and are committed without what they print."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LIMIT_S = 300  # of a cell, on a busy machine; compiling the accelerator takes most of it


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code(notebook))
    assert notebook.cells[0].source.startswith("# ")


def test_the_page_of_notebooks_lists_each_once():
    page = (ROOT / "docs" / "notebooks.md").read_text()
    assert sorted(re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", page)) == [path.stem for path in NOTEBOOKS]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_tables_and_a_picture(tmp_path, monkeypatch, path):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = read(path)
    NotebookClient(notebook, timeout=LIMIT_S, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output.data for cell in code(notebook) for output in cell.outputs if output.output_type == "execute_result"
    ]
    assert sum("text/html" in data and "<table" in data["text/html"] for data in shown) >= 1
    assert sum("image/png" in data for data in shown) == 1
