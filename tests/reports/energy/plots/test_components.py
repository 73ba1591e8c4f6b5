"""Colours of components: each its own, and those of a transformer the same whatever else is drawn."""

from bitjoule.energy_models.architecture.components import COMPONENTS, names
from bitjoule.reports.energy.plots.components import _system_colors
from bitjoule.reports.figures.style import THEMES

PLAIN = [component.name for component in COMPONENTS if component.does == "matmul" and not component.optional]


def test_matmuls_that_are_drawn_together_have_colours_of_their_own():
    for theme in THEMES:
        drawn = _system_colors([name for name in names("matmul") if name != "matmul"], theme)  # no model's product
        assert len(set(drawn.values())) == len(drawn)


def test_a_transformers_colours_are_those_of_its_theme():
    for theme in THEMES:
        drawn = _system_colors(PLAIN, theme)
        projections = [drawn[name] for name in ("q_proj", "k_proj", "v_proj", "o_proj")]
        assert projections == list(theme.families[0][:4])
