from dataclasses import fields

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from chestkd import workspace
from chestkd.evaluation.auc import MEAN
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


@pytest.fixture
def measured() -> pd.DataFrame:
    rows = [
        ("a", "Mass", 0.6, 0.5, 0.7), ("a", "Mean", 0.6, 0.5, 0.7),
        ("b", "Mass", 0.8, 0.7, 0.9), ("b", "Mean", 0.8, 0.7, 0.9),
        ("b minus a", "Mean", 0.2, 0.1, 0.3),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["model", "finding", "auc", "low", "high"])
    return table.assign(images=6000, train=4000, test=1000, commit="abc")


def test_models_are_columns_and_differences_are_words(measured):
    table = phantom.learnability_table(measured)
    assert list(table) == ["finding", "a", "b"]
    assert list(table["finding"]) == ["Mass", "Mean"]
    assert table["b"].tolist() == ["0.800 (0.700 to 0.900)"] * 2
    assert phantom.learnability_differences(measured) == "b minus a +0.200 (+0.100 to +0.300)"
    assert phantom.recorded_source(measured) == (
        "PHANTOM · 6,000 images · 4,000 for training, 1,000 for test · commit abc"
    )


def test_what_was_never_measured_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(workspace, "resolve", lambda path: tmp_path / path)
    for name in ("learnability-64", "leak"):
        with pytest.raises(FileNotFoundError, match=name):
            phantom.recorded(name)


@pytest.mark.parametrize("size", [64, 128])
def test_the_recorded_models_rank_as_the_phantom_is_meant_to(size):
    measured = phantom.recorded(f"learnability-{size}")
    linear, small, large = measured["model"].drop_duplicates()[:3]
    mean_rows = measured[measured["finding"] == MEAN].set_index("model")["auc"]
    means = [mean_rows[model] for model in (linear, small, large)]
    assert 0.5 < means[0] < means[1] < means[2] < 0.95
    lows = measured.set_index("model")["low"]
    assert lows[f"{large} minus {small}"] > 0
    # At 128 pixels it takes more epochs to be clearly above the linear model.
    against_linear = lows[lows.index.str.endswith(f" minus {linear}")]
    assert against_linear.iloc[-1] > 0


def test_the_recorded_leak_is_a_leak():
    together = phantom.recorded("leak").set_index("seed").loc["all"]
    assert 0 < together["low"] < together["difference"] < together["high"]
