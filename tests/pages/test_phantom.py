from dataclasses import fields

import matplotlib.pyplot as plt
import numpy as np
import pytest

from chestkd.pages import phantom
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.mimics import Mimics
from chestkd.phantom.render import Visit, draw
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.statistics import plan_table

SPECIFICATION = PhantomSpecification(images=2000, size=48, seed=4, tempering=0.0)
VISIT = Visit(46, 0, True, 58, "AP", {"Consolidation": 0.9, "Hernia": 0.6})


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    "picture",
    [
        lambda: phantom.layer_by_layer(VISIT, SPECIFICATION),
        lambda: phantom.findings(SPECIFICATION, ("Mass", "Edema", "Hernia")),
        lambda: phantom.sizes(VISIT, SPECIFICATION, (32, 64)),
        lambda: phantom.patients(SPECIFICATION, 2),
        lambda: phantom.mimics(SPECIFICATION),
        lambda: phantom.shortcut(SPECIFICATION),
    ],
)
def test_every_picture_says_phantom_and_shows_images(picture):
    figure = picture()
    assert figure.get_suptitle().startswith("PHANTOM")
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) >= 2
    assert all(np.ptp(image) > 0.3 for image in shown)


def test_the_layers_of_the_book_add_up_to_the_image():
    layers = draw(VISIT, SPECIFICATION).layers
    steps = phantom.steps(layers)
    np.testing.assert_allclose(steps[-1][1], layers.thickness(), atol=0.02)


@pytest.mark.parametrize("name", [field.name for field in fields(Mimics)])
def test_every_mimic_changes_the_image(name):
    visit = Visit(7, 0, False, 62, "PA", {})
    plain = draw(visit, SPECIFICATION, Mimics()).layers.thickness()
    mimicked = draw(visit, SPECIFICATION, Mimics(**{name: True})).layers.thickness()
    assert np.abs(mimicked - plain).max() > 0.02


def test_the_table_beside_the_real_one_has_both():
    table = plan_table(draw_plan(SPECIFICATION))
    beside = phantom.beside_the_real(table, np.random.default_rng(0))
    assert list(beside.columns) == ["statistic", "real", "phantom", "low", "high", "deviation"]
    ap = beside.set_index("statistic").loc["share of AP views"]
    assert ap["phantom"] == pytest.approx((table["view"] == "AP").mean())
    assert ap["low"] < ap["phantom"] < ap["high"]
    assert ap["real"] == pytest.approx(0.3997, abs=1e-4)
    assert phantom.visits(table).axes[0].get_title().startswith("PHANTOM")
