"""Pictures inside a page: one SVG for both backgrounds, and nothing that runs or loads."""

import re

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.reports.figures.style import DARK, LIGHT, new_figure
from bitjoule.reports.page.svg import colour_variables, themed_svg

COLOUR = re.compile(r"#[0-9a-f]{6}\b")


@pytest.mark.parametrize(("theme", "suffix"), [(0, ""), (1, "_dark")])
def test_the_picture_in_the_colours_of_a_page_is_the_one_that_was_drawn_for_it(run_edge, theme, suffix):
    light, drawn = (run_edge() / f"components{end}.svg" for end in ("", suffix))
    text = themed_svg(light, "p-", "components")
    variables = colour_variables([text])[theme]
    styles = re.findall(r'style="([^"]*)"', text)
    shown = [re.sub(r"var\((--[ch][0-9a-f]{6})\)", lambda match: variables[match[1]], style) for style in styles]
    faces = re.sub(r' fill="(#[0-9a-f]{6})"', r' style="fill: \1"', drawn.read_text())  # of hatched parts
    assert faces != drawn.read_text()
    expected = re.findall(r'style="([^"]*)"', faces)
    assert [COLOUR.findall(style) for style in shown] == [COLOUR.findall(style.lower()) for style in expected]


def test_names_are_those_of_the_picture_alone_and_every_link_has_its_end(run_edge):
    text = themed_svg(run_edge() / "components.svg", "p7-", "components")
    names = set(re.findall(r' id="([^"]*)"', text))
    assert all(name.startswith("p7-") for name in names)
    links = set(re.findall(r'href="#([^"]*)"', text)) | set(re.findall(r"url\(#([^)]*)\)", text))
    assert links
    assert links <= names


def test_a_screen_reader_gets_the_words_of_the_picture(run_edge):
    text = themed_svg(run_edge() / "components.svg", "p-", "components of edge")
    label = re.search(r'aria-label="([^"]*)"', text)[1]
    assert label.startswith("components of edge. Words in the picture: ")
    assert "fp16" in label
    assert 'role="img"' in text


def test_nothing_in_a_picture_runs_or_loads(tmp_path):
    path = tmp_path / "bad.svg"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="alert(1)">'
        '<script>alert(2)</script><style>@import "https://example.org/x.css";</style><foreignObject><b/></foreignObject>'
        '<image href="https://example.org/x.png"/><use xlink:href="https://example.org/y.svg#a"/>'
        '<path d="M 0 0" onclick="alert(3)" style="fill: url(https://example.org/z)"/><a href="javascript:alert(4)"/>'
        '<image xlink:href="data:text/html,alert(5)"/><image href="data:image/png;base64,QUJD"/>'
        '<rect clip-path="url( \'#q\' )" fill="URL(//example.org/k)" ONCLICK="alert(6)" OnLoad="alert(7)"/></svg>'
    )
    text = themed_svg(path, "p-", "label")
    assert not re.search(r"alert|example\.org|javascript|foreignObject|<style", text, re.IGNORECASE)
    assert 'clip-path="url(#p-q)"' in text
    assert re.findall('href="([^"]*)"', text) == ["data:image/png;base64,QUJD"]


SVG = '<svg xmlns="http://www.w3.org/2000/svg">%s</svg>'


def test_lines_are_where_they_were_to_a_hundredth(tmp_path):
    path = tmp_path / "line.svg"
    path.write_text(SVG % '<path d="M 1.98765 -20.5\nL 0.125 3 L 100.999999 7.10499 z"/>')
    found, given = (re.findall(r"[-\d.]+", re.search('d="([^"]*)"', text)[1]) for text in
                    (themed_svg(path, "p-", "label"), path.read_text()))  # fmt: skip
    assert len(found) == len(given) == 6
    assert [float(number) for number in found] == pytest.approx([float(number) for number in given], abs=0.01)
    assert max(len(number.partition(".")[2]) for number in found) == 2


def test_a_black_face_is_one_of_the_theme(tmp_path):
    """Matplotlib leaves black out of the style, so that a marker of the black series was black on a dark page."""
    figure = new_figure(2, 2)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.plot([1], [1], "o", color=LIGHT.series[4], markersize=9)
    path = tmp_path / "marker.svg"
    figure.savefig(path, format="svg")
    assert LIGHT.series[4] == "#000000"
    text = themed_svg(path, "p-", "label")
    (marker,) = re.findall(r'<use [^>]*style="([^"]*)"', text)
    assert "fill: var(--c000000)" in marker
    _, dark = colour_variables([text])
    assert dark["--c000000"].lower() == DARK.series[4].lower()


def test_each_word_of_a_picture_is_read_out_once_in_their_order(tmp_path):
    path = tmp_path / "words.svg"
    path.write_text(SVG % "<!-- b --><g><!-- a, c --><path/></g><!-- b --><!--d-->")
    assert 'aria-label="label. Words in the picture: b, a, c, d"' in themed_svg(path, "p-", "label")
    path.write_text(SVG % "<path/>")
    assert 'aria-label="label"' in themed_svg(path, "p-", "label")


def test_a_picture_with_entities_of_its_own_is_refused(tmp_path):
    path = tmp_path / "no.svg"
    path.write_text(f'<!DOCTYPE svg [<!ENTITY a "b">]>{SVG % "<path/>"}')
    with pytest.raises(InputError, match=r"cannot be read as a picture \(defines entities\)"):
        themed_svg(path, "p-", "label")


@pytest.mark.parametrize("text", ["", "<svg", "<html/>", '<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'])
def test_what_is_no_picture_is_said_to_be_none(tmp_path, text):
    path = tmp_path / "no.svg"
    path.write_text(text)
    with pytest.raises(InputError, match=r"no.svg:1: file: .*; expected an SVG that a run wrote"):
        themed_svg(path, "p-", "label")
