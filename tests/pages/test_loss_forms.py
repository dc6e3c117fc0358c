"""Gradients of the loss forms, against their formulas."""

import numpy as np
import pytest

from chestkd.pages import loss_forms

ALPHA, TEMPERATURE = 0.3, 4.0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def arrays():
    generator = np.random.default_rng(0)
    labels = (generator.random((32, 14)) < 0.1).astype(np.float32)
    labels[:4] = 0
    labels[4:8, 3] = 1
    return labels, generator.normal(size=(32, 14)) - 2, 2 * generator.normal(size=(32, 14)) - 2


@pytest.fixture(scope="module")
def found(arrays):
    return loss_forms.gradients(loss_forms.terms(ALPHA, TEMPERATURE), *arrays)


def test_gradients_are_those_of_the_formulas(arrays, found):
    labels, s, t = arrays
    present = labels.any(axis=1, keepdims=True)
    shares = labels / np.maximum(labels.sum(axis=1, keepdims=True), 1)
    hard = np.where(present, softmax(s) - shares, 0)
    soft = (softmax(s / TEMPERATURE) - softmax(t / TEMPERATURE)) / TEMPERATURE
    hard_each = (sigmoid(s) - labels) / 14
    soft_each = TEMPERATURE * (sigmoid(s / TEMPERATURE) - sigmoid(t / TEMPERATURE)) / 14
    expected = {
        "hard, per finding": hard_each,
        "hard, softmax": hard,
        "soft, per finding": soft_each,
        "soft, softmax": soft,
        "total, per finding": (1 - ALPHA) * hard_each + ALPHA * soft_each,
        "total, softmax, eq. (5)": (1 - ALPHA) * hard + 2 * ALPHA * TEMPERATURE**2 * soft,
        "total, softmax, eq. (7)": hard + soft,
        "total, softmax, eq. (8)": (1 - ALPHA) * hard + ALPHA * soft,
    }
    assert list(found) == list(expected)
    for name, gradient in found.items():
        np.testing.assert_allclose(gradient, expected[name], atol=2e-6, err_msg=name)


def test_images_without_findings_have_no_hard_softmax_gradient_at_all(arrays, found):
    without = ~arrays[0].any(axis=1)
    assert without.sum() >= 4
    assert (found["hard, softmax"][without] == 0).all()
    assert (found["hard, per finding"][without] != 0).all()


def test_the_table_shows_what_softmax_cannot_teach(arrays, found):
    table = loss_forms.gradient_table(found, arrays[0]).set_index("loss")
    softmax_rows = table.index.str.contains("softmax")
    levels = table.loc[softmax_rows, ["level, findings", "level, none"]]
    assert (levels.fillna(0) == 0).all(axis=None)
    assert table.loc["hard, softmax", "length, none"] == 0
    assert np.isnan(table.loc["hard, softmax", "level, none"])
    assert (table.loc[~softmax_rows, "level, none"] > 0.1).all()


def test_lengths_and_levels_by_hand():
    gradient = np.zeros((2, 14), np.float32)
    gradient[0] = 1  # all of it along (1, ..., 1)
    gradient[1, :2] = (3, -3)  # none of it
    labels = np.zeros((2, 14))
    labels[0, 0] = 1
    (row,) = loss_forms.gradient_table({"x": gradient}, labels).to_dict("records")
    assert row == {
        "loss": "x",
        "length, findings": pytest.approx(14**0.5),
        "length, none": pytest.approx(18**0.5),
        "level, findings": pytest.approx(1.0),
        "level, none": 0.0,
    }


def test_any_finding_is_told_by_the_highest_logit():
    labels, logits = np.zeros((3, 14)), np.zeros((3, 14))
    labels[0, 5] = 1
    logits[:, 2] = (3, 1, 2)
    assert loss_forms.any_finding_auc(labels, logits) == 1.0
    logits[:, 2] = (1.5, 1, 2)
    assert loss_forms.any_finding_auc(labels, logits) == 0.5
    assert np.isnan(loss_forms.any_finding_auc(np.ones((3, 14)), logits))
