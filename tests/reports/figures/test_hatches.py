"""Hatches tell apart in grey what lightness does not."""

from itertools import combinations, pairwise

import pytest

from bitjoule.reports.figures.hatches import APART, HATCHES, hatch_color, hatches, lightness
from bitjoule.reports.figures.style import DARK, LIGHT


@pytest.mark.parametrize(
    ("color", "expected"),  # lightness of sRGB's primaries under D65, as CIELAB has it
    [("#000000", 0), ("#ffffff", 100), ("#ff0000", 53.24), ("#00ff00", 87.74), ("#0000ff", 32.30), ("#010101", 0.274)],
)
def test_lightness_is_that_of_cielab(color, expected):
    assert lightness(color) == pytest.approx(expected, abs=0.01)


def test_parts_of_one_hatch_differ_in_lightness_on_both_pages():
    light = {"a": "#000000", "b": "#ffffff", "c": "#777777", "d": "#0a0a0a", "e": "#808080"}
    dark = {"a": "#ffffff", "b": "#000000", "c": "#f0f0f0", "d": "#777777", "e": "#101010"}
    found = hatches("abcde", [light, dark], "cbade")
    assert [found[part] for part in "cb"] == ["", ""]  # the largest
    assert found["a"] == HATCHES[1]  # as light as `c` on the dark page alone
    for one, other in combinations(light, 2):
        apart = min(abs(lightness(page[one]) - lightness(page[other])) for page in (light, dark))
        assert found[one] != found[other] or apart >= APART, (one, other)


def test_of_more_parts_than_hatches_those_that_look_alike_are_not_neighbours():
    parts = [str(i) for i in range(3 * len(HATCHES))]
    found = hatches(parts, [dict.fromkeys(parts, "#123456")], parts)
    assert list(found.values())[: len(HATCHES)] == list(HATCHES)
    assert set(found.values()) == set(HATCHES)
    assert all(found[one] != found[other] for one, other in pairwise(parts))


@pytest.mark.parametrize(
    ("face", "theme", "expected"),
    [
        ("#08519c", LIGHT, LIGHT.background), ("#b2e2d0", LIGHT, LIGHT.text),
        ("#c3def6", DARK, DARK.background), ("#484f58", DARK, DARK.text),
    ],
)  # fmt: skip
def test_a_hatch_stands_out_from_its_bar(face, theme, expected):
    assert hatch_color(face, theme) == expected
