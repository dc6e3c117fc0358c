"""The benchmarks' recorded results, as the page on the phantom shows them."""

import pandas as pd
import pytest

from chestkd import workspace
from chestkd.evaluation.auc import MEAN
from chestkd.pages import recorded

ABOVE = "b minus a"


@pytest.fixture
def measured() -> pd.DataFrame:
    rows = [
        ("a", "Mass", 0.6, 0.5, 0.7), ("a", "Mean", 0.6, 0.5, 0.7),
        ("b", "Mass", 0.8, 0.7, 0.9), ("b", "Mean", 0.8, 0.7, 0.9),
        (ABOVE, "Mean", 0.2, 0.1, 0.3),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["model", "finding", "auc", "low", "high"])
    return table.assign(images=6000, train=4000, test=1000, commit="abc")


def test_models_are_columns_and_differences_are_words(measured):
    table = recorded.readable_learnability(measured)
    assert list(table) == ["finding", "a", "b"]
    assert list(table["finding"]) == ["Mass", "Mean"]
    assert table["b"].tolist() == ["0.800 (0.700 to 0.900)"] * 2
    assert recorded.differences(measured) == "b minus a +0.200 (+0.100 to +0.300)"
    assert recorded.source(measured) == (
        "PHANTOM · 6,000 images · 4,000 for training, 1,000 for test · commit abc"
    )


def test_what_was_never_measured_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(workspace, "resolve", lambda path: tmp_path / path)
    assert recorded.learnability(64) is None
    assert recorded.leak() is None


@pytest.mark.parametrize("size", [64, 128])
def test_the_recorded_models_rank_as_the_phantom_is_meant_to(size):
    measured = recorded.learnability(size)
    assert measured is not None
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
    leak = recorded.leak()
    assert leak is not None
    together = leak.set_index("seed").loc["all"]
    assert 0 < together["low"] < together["difference"] < together["high"]
