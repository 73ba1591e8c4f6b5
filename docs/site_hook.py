"""What `mkdocs build` does besides: pages and files from outside docs/, links to them, and the reference of YAML keys.

Pages of docs/ link to files of the repository. On the site these lie below ``repository/``; README and a few others are
pages. A notebook is a page of its cells, beside the file; the search works offline.
"""

import json
import re
import sys
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from yaml_reference import yaml_reference

ROOT = Path(__file__).parents[1]
DOCS, COPIED = "docs", "repository"
PAGES = {
    "README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
    "findings/README.md": "findings.md",
}  # fmt: skip
_SOURCE_OF = {page: source for source, page in PAGES.items()}
REFERENCE = "reference/yaml.md"
NOTEBOOKS = "notebooks"
# What the theme loads on pages from a folder, where browsers start no worker: iframe-worker 1.0.4 (MIT), from npm.
SHIM, OUR_SHIM = "https://unpkg.com/iframe-worker/shim", "vendor/iframe-worker.js"
_TARGET = re.compile(
    r'(?P<before>\]\(|^\[[^\]\n]+\]: |src="|srcset="|href=")(?P<target>[^)\s"#]+)(?P<anchor>#[^)\s"]*)?', re.MULTILINE
)
_FOLDER_LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\((?P<target>[^)\s#:]+)\)")
_FENCE_OPTION = re.compile(r"^```(\w+) (?:file|add)=(\S+)$", re.MULTILINE)
_FENCE_WORD = re.compile(r"^```(\w+) (?!title=)\S+$", re.MULTILINE)  # what a test does with a block; to a page no fence


def on_files(files: Files, config: Any) -> Files:
    """Add pages and files from outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, REFERENCE, content=yaml_reference()))
    for path in sorted((ROOT / DOCS / NOTEBOOKS).glob("*.ipynb")):
        files.append(File.generated(config, f"{NOTEBOOKS}/{path.stem}.md", content=_cells(path)))
    for path in sorted({path for file in files.documentation_pages() for path in _outside(file)}):
        files.append(File.generated(config, _copied(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where files lie on the site, and blocks of code have the names of their files."""
    source = _source(page.file.src_uri)

    def to_text(match: re.Match[str]) -> str:
        target = _resolved(source, match["target"])
        return match["text"] if (ROOT / target).is_dir() else match[0]

    def moved(match: re.Match[str]) -> str:
        if "://" in match["target"] or match["target"].startswith("mailto:"):
            return match[0]
        place = _place(_resolved(source, match["target"]))
        start = str(PurePosixPath(page.file.src_uri).parent)
        return f"{match['before']}{relpath(place, start)}{match['anchor'] or ''}"

    text = _TARGET.sub(moved, _FOLDER_LINK.sub(to_text, markdown))
    return _FENCE_WORD.sub(r"```\1", _FENCE_OPTION.sub(r'```\1 title="\2"', text))


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Let the search load its script from the site: a page from a folder then makes no request."""
    return output.replace(SHIM, relpath(OUR_SHIM, str(PurePosixPath(page.file.dest_uri).parent)))


def _cells(path: Path) -> str:
    """Return the cells of a notebook as a page."""
    blocks = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        blocks.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    blocks.insert(1, f"The notebook: [{path.name}]({path.name}).")
    return "\n\n".join(blocks) + "\n"


def _source(page: str) -> str:
    """Return where a page lies in the repository."""
    return _SOURCE_OF.get(page, f"{DOCS}/{page}")


def _resolved(source: str, target: str) -> str:
    """Return where a link leads in the repository."""
    return normpath(str(PurePosixPath(source).parent / target))


def _place(path: str) -> str:
    """Return where a file of the repository lies on the site."""
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix(f"{DOCS}/") if path.startswith(f"{DOCS}/") else _copied(path)


def _copied(path: str) -> str:
    return f"{COPIED}/{path}{'.txt' if path.endswith('.md') else ''}"  # a page of its own is none of ours


def _outside(file: File) -> set[str]:
    """Return the files outside docs/ that a page links to."""
    source = _source(file.src_uri)
    if file.src_uri == REFERENCE:
        return set()
    found = {_resolved(source, match["target"]) for match in _TARGET.finditer(file.content_string)}
    return {path for path in found if not path.startswith(f"{DOCS}/") and path not in PAGES and (ROOT / path).is_file()}
