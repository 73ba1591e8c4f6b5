"""Pictures of a run inside a page: one SVG for a light and a dark background, with names of its own.

Of the file only what draws is taken over: known elements, and links within the picture. A page that holds pictures of
other people's results runs nothing of theirs and loads nothing.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from bitjoule.energy_models.inputs.errors import reason, whole_file
from bitjoule.reports.figures.hatches import hatch_color
from bitjoule.reports.figures.recolour import dark_colors
from bitjoule.reports.figures.style import DARK, LIGHT, Theme

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
DRAWN = {"svg", "g", "path", "use", "defs", "clipPath", "rect", "circle", "ellipse", "line", "polyline", "polygon",
         "text", "tspan", "image", "linearGradient", "radialGradient", "stop", "pattern"}  # fmt: skip
SHAPES = {f"{SVG}path", f"{SVG}use"}
UNWRITTEN = "#000000"  # a face that matplotlib leaves out of a style
HREFS = (f"{XLINK}href", "href")
EMBEDDED = "data:image/png;base64,"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_DRAWN_IN = re.compile(r"#[0-9a-fA-F]{6}\b|var\(--c[0-9a-f]{6}\)")
_LONG = re.compile(r"(\d+\.\d\d)\d+")
_LOCAL = re.compile(r"url\(\s*['\"]?#([^)'\"\s]+)['\"]?\s*\)")
_URL = re.compile(r"url\(", re.IGNORECASE)


def themed_svg(path: Path, prefix: str, label: str) -> str:
    """Return a picture as an element of a page, with variables in place of the colours of a theme.

    Parameters
    ----------
    path
        SVG of a picture for a light page, drawn by matplotlib.
    prefix
        Begins every name in it, so that pictures of one page do not share names.
    label
        What a screen reader says; the words in the picture follow.

    Raises
    ------
    InputError
        The file is not an SVG.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if "<!ENTITY" in text:
            raise ET.ParseError("defines entities")
        root = ET.fromstring(text, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True)))  # noqa: S314 (no entities)
    except OSError as error:
        raise whole_file(str(path), reason(error), "an SVG that a run wrote") from None
    except (ValueError, ET.ParseError) as error:
        raise whole_file(str(path), f"cannot be read as a picture ({error})", "an SVG that a run wrote") from None
    if root.tag != f"{SVG}svg":
        raise whole_file(str(path), "is not an SVG", "an SVG that a run wrote")
    words = [str(node.text).strip() for node in root.iter() if callable(node.tag)]  # comments
    _clean(root, prefix)
    # the size on the page is that of its column
    root.attrib = {key: value for key, value in root.attrib.items() if key not in ("width", "height")}
    root.set("role", "img")
    root.set("aria-label", f"{label}. Words in the picture: {', '.join(dict.fromkeys(words))}" if words else label)
    _plain_names(root)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def colour_variables(pictures: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables that pictures of `themed_svg` use, on a light and on a dark page.

    Parameters
    ----------
    pictures
        The elements.
    """
    used = sorted({found for text in pictures for found in re.findall(r"var\(--([ch])([0-9a-f]{6})\)", text)})
    dark = dark_colors()

    def value(kind: str, colour: str, theme: Theme) -> str:
        shown = colour if theme is LIGHT else dark.get(colour, colour)
        return shown if kind == "c" else hatch_color(shown, theme).lower()

    of_themes = ({f"--{kind}{name}": value(kind, f"#{name}", theme) for kind, name in used} for theme in (LIGHT, DARK))
    light, darkened = of_themes
    return light, darkened


def _clean(node: ET.Element, prefix: str) -> None:
    """Drop all that does not draw, and give names and colours of their own to the rest."""
    for child in list(node):
        name = child.tag.removeprefix(SVG) if isinstance(child.tag, str) else ""
        if name not in DRAWN:
            node.remove(child)
            continue
        _clean(child, prefix)
    style = node.get("style", "")
    if node.tag in SHAPES and style and "fill:" not in style and "id" not in node.attrib:
        node.set("style", f"{style}; fill: {UNWRITTEN}")
    for key, value in list(node.attrib.items()):
        new = _attribute(key, value, prefix)
        if new is None:
            del node.attrib[key]
        else:
            node.attrib[key] = new
    if node.tag == f"{SVG}pattern":
        _hatch(node)
    for part in ("text", "tail"):
        if not (getattr(node, part) or "").strip():
            setattr(node, part, None)


def _hatch(pattern: ET.Element) -> None:
    """Give the face of a hatched part its variable, and the hatch one that follows from the face."""
    face = next((node.get("fill", "") for node in pattern if node.tag == f"{SVG}rect"), "").lower()
    if not _COLOUR.fullmatch(face):
        return
    for node in pattern:
        if node.tag == f"{SVG}rect":
            del node.attrib["fill"]
            node.set("style", f"fill: {_variable(face)}")
        else:
            node.set("style", _DRAWN_IN.sub(f"var(--h{face[1:]})", node.get("style", "")))


def _attribute(key: str, value: str, prefix: str) -> str | None:
    """Return the value of an attribute in the page, or none for one that is left out."""
    if key == "id":
        return f"{prefix}{value}"
    if key in HREFS:
        if value.startswith("#"):
            return f"#{prefix}{value[1:]}"
        return value if value.startswith(EMBEDDED) else None
    if key.lower().startswith("on"):
        return None
    if key == "d":
        return _LONG.sub(r"\1", " ".join(value.split()))
    if _URL.search(value):
        if _URL.search(_LOCAL.sub("", value)):
            return None
        value = _LOCAL.sub(rf"url(#{prefix}\1)", value)
    return _COLOUR.sub(lambda match: _variable(match[0].lower()), value) if key == "style" else value


def _variable(colour: str) -> str:
    return f"var(--c{colour[1:]})" if dark_colors().get(colour, colour) != colour else colour


def _plain_names(root: ET.Element) -> None:
    """Take the name spaces off tags and attributes, as HTML writes them."""
    for node in root.iter():
        node.tag = str(node.tag).removeprefix(SVG)
        node.attrib = {key.replace(XLINK, "xlink:"): value for key, value in node.attrib.items()}
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("xmlns:xlink", "http://www.w3.org/1999/xlink")
