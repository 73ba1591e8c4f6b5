"""The summary of a run: its first lines, and the rest as HTML."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token

HEADING = "\n\n## "
WARNINGS = "Warnings"
DEEPER = 2  # levels by which a summary's headings move down in a page


class Summary(NamedTuple):
    """A summary in parts.

    Parameters
    ----------
    lead
        The outcome in one sentence; empty where the summary begins with a table.
    remarks
        What is said before the first heading, beside lead, description and tables.
    body
        The rest, in Markdown, without the warnings.
    """

    lead: str
    remarks: tuple[str, ...]
    body: str


def split_summary(text: str, description: str) -> Summary:
    """Return the parts of a summary.

    Parameters
    ----------
    text
        Contents of summary.md.
    description
        Of the experiment, in one line.
    """
    head, *sections = text.strip().split(HEADING)
    paragraphs = [part for part in head.split("\n\n") if part.strip()]
    if paragraphs and paragraphs[0].startswith("# "):
        paragraphs = paragraphs[1:]
    paragraphs = [part for part in paragraphs if " ".join(part.split()) != description]
    lead = ""
    if paragraphs and not paragraphs[0].startswith("|"):
        lead, *paragraphs = paragraphs
    remarks = tuple(" ".join(part.split()) for part in paragraphs if not part.startswith("|"))
    tables = [part for part in paragraphs if part.startswith("|")]
    kept = [f"## {section}" for section in sections if not section.startswith(f"{WARNINGS}\n")]
    return Summary(" ".join(lead.split()), remarks, "\n\n".join([*tables, *kept]))


def to_html(text: str, name: str) -> str:
    """Return Markdown as HTML, with headings of lower levels; HTML in it is shown as text.

    Parameters
    ----------
    text
        Of a summary.
    name
        Of the result, for the names of its tables.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = parser.parse(text)
    title, tables = "summary", 0
    for i, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + DEEPER)}"
        if token.type == "heading_open":
            title = tokens[i + 1].content
        if token.type == "table_open":
            tables += 1
            token.meta = {"label": f"table {tables} of {name}: {title}"}
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _table_open(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    label = escape(tokens[index].meta["label"])
    return f'<div class="frame" tabindex="0" role="region" aria-label="{label}"><table>\n'


def _table_close(*_: object) -> str:
    return "</table></div>\n"
