"""The dark picture is the light one recoloured: the same as one that is drawn for the dark page."""

from io import BytesIO

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from bitjoule.reports.energy.pictures import draw
from bitjoule.reports.figures.recolour import recolour
from bitjoule.reports.figures.style import DARK, LIGHT, new_figure, settings
from tests.experiments.shipped import result_of
from tests.sampling import sampled

pytestmark = pytest.mark.slow  # they draw

EACH_KIND = {
    "bitnet_energy_vs_size": (0, 1, 2, 3),  # energy, ratio with limits, components, printed numbers with error bars
    "batch_sweep": (1,),
    "loss_vs_energy": (0,),
    "memory_footprint": (0,),
    "roofline": (0,),
    "full_model_components": (2,),  # shades between the theme's hues
}


def picture(figure, **kind):
    written = BytesIO()
    figure.savefig(written, **kind)
    written.seek(0)
    return written


PLOTS = [(name, plot) for name, plots in EACH_KIND.items() for plot in plots]


@pytest.mark.parametrize(("name", "plot"), sampled(PLOTS, 4, "recoloured pictures"))
def test_a_recoloured_figure_is_that_of_the_dark_page(name, plot):
    result = result_of(name)
    wanted = result.requested[plot]
    with mpl.rc_context(settings(LIGHT)):
        figure = draw(wanted, result, LIGHT)
        figure.savefig(BytesIO(), format="svg")  # as `save` does: what a first drawing settles is settled
    with mpl.rc_context(settings(DARK)):
        recolour(figure)
        ours, drawn = (picture(page, format="png", dpi=60) for page in (figure, draw(wanted, result, DARK)))
        assert abs(imread(ours) - imread(drawn)).max() < 4 / 255


def test_boxes_and_arrows_of_texts_are_recoloured():
    """Matplotlib does not count them among the children of a text."""
    figure = new_figure(3, 2)
    text = figure.subplots().annotate(
        "a", (0.2, 0.2), (0.8, 0.8), bbox={"facecolor": LIGHT.background, "edgecolor": LIGHT.text},
        arrowprops={"arrowstyle": "-", "color": LIGHT.series[3]},
    )  # fmt: skip
    recolour(figure)
    assert to_hex(text.arrow_patch.get_edgecolor()) == to_hex(DARK.series[3])
    assert to_hex(text.get_bbox_patch().get_facecolor()) == to_hex(DARK.background)
    assert to_hex(text.get_bbox_patch().get_edgecolor()) == to_hex(DARK.text)
