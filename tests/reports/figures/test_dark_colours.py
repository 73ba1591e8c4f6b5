"""Each colour of the light theme has one on a dark page."""

import pytest

from bitjoule.reports.figures import recolour


@pytest.mark.parametrize(
    ("second", "refused"),
    [("#000000", False), ("#020202", False), ("#030303", True), ("#ffffff", True)],  # 2.5 of 255 shades may differ
)
def test_two_dark_colours_of_one_light_one_are_refused_unless_they_look_the_same(monkeypatch, second, refused):
    themes = {recolour.LIGHT: ["#ff0000", "#ff0000"], recolour.DARK: ["#000000", second]}
    monkeypatch.setattr(recolour, "_colors", lambda theme: themes[theme])
    colors = recolour.dark_colors.__wrapped__
    if refused:
        with pytest.raises(ValueError, match=f"#ff0000 is #000000 and {second} on a dark page"):
            colors()
    else:
        assert colors() == {"#ff0000": "#000000"}
