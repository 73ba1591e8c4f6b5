"""Colours can be told apart from the background and from each other, by the colour-blind too."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bitjoule.reports.figures.style import THEMES

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def linear(color):
    """Return a colour in linear RGB (IEC 61966-2-1)."""
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """Return linear RGB in CIELAB under D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz / (0.9505, 1, 1.089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def luminance(color):
    return float(linear(color) @ (0.2126, 0.7152, 0.0722))


def contrast(one, two):
    """Return the contrast ratio of WCAG 2.1, section 1.4.3."""
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
def test_text_and_lines_stand_out_from_the_background(theme):
    assert contrast(theme.text, theme.background) >= 7  # WCAG 2.1 AAA for text
    for color in theme.series:
        assert contrast(color, theme.background) >= 3, color  # WCAG 2.1 for graphics


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_the_first_five_lines_can_be_told_apart_by_the_colour_blind(theme, vision):
    seen = [lab(np.array(VISION[vision]) @ linear(color)) for color in theme.series[:5]]
    for one, two in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - two) > 20  # delta E; 2.3 is just noticeable
