"""Figures 1 and 2 say what the code does: a changed strategy or loss is a changed drawing."""

import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Annotation

from chestkd.distillation import losses
from chestkd.distillation.strategies import STRATEGIES
from chestkd.pages import figure_1_2
from chestkd.pages.strategy_scheme import (
    Flow,
    flows,
    learner,
    loss_terms,
    loss_words,
    strategies_words,
    table,
    terms,
)

SIGMOID = terms("``(1 - a) BCE(y, s) + a T^2 KL(t/T, s/T)`` and more.")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def arrows(axes) -> int:
    return sum(isinstance(text, Annotation) for text in axes.texts)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_drawn_formula_is_what_the_loss_computes(name):
    generator = np.random.default_rng(0)
    y = (generator.random((5, 14)) < 0.3).astype(np.float32)
    s, t = generator.normal(size=(2, 5, 14)).astype(np.float32)
    a, temperature = 0.3, 4.0

    def cross_entropy(distance: str, soft: bool) -> np.ndarray:
        if distance == "BCE":
            return np.asarray(losses.binary_cross_entropy(y, s))
        if not soft:
            return np.asarray(losses.softmax_cross_entropy(y, s))
        if distance == "KL" and name == "sigmoid":
            return np.asarray(losses.soft_sigmoid(s, t, temperature)) / temperature**2
        entropy = np.asarray(losses.soft_softmax(t, t, temperature)) if distance == "KL" else 0
        return np.asarray(losses.soft_softmax(s, t, temperature)) - entropy

    total = 0
    for term in loss_terms(name):
        assert (term.target, term.prediction) == (("t/T", "s/T") if term.soft else ("y", "s"))
        weight = re.sub(r"(?<=[\da]) (?=[aT])", "*", term.weight or "1").replace("^", "**")
        factor = eval(weight, {"a": a, "T": temperature})
        total = total + factor * cross_entropy(term.distance, term.soft)
    computed = losses.LOSSES[name](y, s, t, alpha=a, temperature=temperature)
    np.testing.assert_allclose(total, np.asarray(computed), rtol=1e-4)


def test_terms_by_hand():
    hard, soft = SIGMOID
    assert (hard.weight, hard.distance) == ("(1 - a)", "BCE")
    assert (hard.target, hard.prediction) == ("y", "s")
    assert str(soft) == "a T^2 KL(t/T, s/T)"
    assert (hard.soft, soft.soft) == (False, True)
    assert soft.comparison == r"$\mathrm{KL}(t/T,\, s/T)$"
    assert r"\alpha T^2" in soft.mathtext


@pytest.mark.parametrize("docstring", [None, "", "No formula.", "``a times b``: words."])
def test_a_docstring_without_a_formula_is_refused(docstring):
    with pytest.raises(ValueError, match="expected a"):
        terms(docstring)


def test_flows_of_the_five_strategies():
    expected = {
        "base": [],
        "standard": ["Teacher\nnetwork,\ntrained"],
        "reversed": ["Student\nnetwork,\ntrained"],
        "defective": ["Teacher\nnetwork,\na quarter trained"],
        "self-training": ["Earlier copy\nof itself,\ntrained"],
    }
    for name, strategy in STRATEGIES.items():
        hard, *soft = flows(strategy)
        assert hard == Flow("Labels", learner(strategy), "hard")
        assert [flow.source for flow in soft] == expected[name]
    assert learner(STRATEGIES["reversed"]) == "Teacher\nnetwork"


def panel(**changes) -> plt.Axes:
    strategy = replace(STRATEGIES["standard"], **changes)
    return figure_1_2.draw_strategies({"x": strategy}, SIGMOID).axes[0]


def test_a_changed_strategy_is_a_changed_drawing():
    as_it_is = panel()
    assert arrows(as_it_is) == 2
    assert "Teacher\nnetwork,\ntrained" in texts(as_it_is)
    assert as_it_is.get_title(loc="left") == "(b) Standard distillation"
    alone = panel(by=None)
    assert arrows(alone) == 1
    assert "soft" not in texts(alone)
    assert "Teacher\nnetwork,\na quarter trained" in texts(panel(defective=True))
    turned = panel(taught="teacher", by="student", panel="z", title="Turned")
    assert {"Teacher\nnetwork", "Student\nnetwork,\ntrained"} <= set(texts(turned))
    assert turned.get_title(loc="left") == "(z) Turned"


def test_a_changed_loss_is_a_changed_drawing():
    shown = set(texts(figure_1_2.draw_loss(SIGMOID).axes[0]))
    assert {term.mathtext for term in SIGMOID} <= shown
    printed = loss_terms("softmax-eq7")
    shown = set(texts(figure_1_2.draw_loss(printed).axes[0]))
    assert {term.mathtext for term in printed} <= shown
    with pytest.raises(ValueError, match="one soft and one hard term"):
        figure_1_2.draw_loss(SIGMOID[:1])


def test_the_words_and_the_table_follow_the_code():
    words = strategies_words(STRATEGIES)
    assert "(c) Reversed distillation: the teacher network learns from the labels" in words
    changed = {"x": replace(STRATEGIES["defective"], defective=False)}
    assert "a quarter trained" in words
    assert "a quarter trained" not in strategies_words(changed)
    assert "both softened by T" in loss_words(SIGMOID)
    rows = table(STRATEGIES)
    assert rows["panel"].tolist() == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    assert rows.set_index("panel").loc["(a)", "learns from"] == "the labels"
