"""Figures 1 and 2 say what the code does: a changed strategy or loss is a changed drawing."""

from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Annotation

from chestkd.distillation.formulas import FORMULAS, Formula
from chestkd.distillation.strategies import STRATEGIES
from chestkd.pages import figure_1_2
from chestkd.pages.figure_1_2 import loss_words, strategies_words, table

SIGMOID = FORMULAS["sigmoid"]


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def texts(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def arrows(axes) -> int:
    return sum(isinstance(text, Annotation) for text in axes.texts)


def test_panels_of_the_five_strategies():
    teachers = {
        "base": set(),
        "standard": {"Teacher\nnetwork,\ntrained"},
        "reversed": {"Student\nnetwork,\ntrained"},
        "defective": {"Teacher\nnetwork,\na quarter trained"},
        "self-training": {"Earlier copy\nof itself,\ntrained"},
    }
    assert list(STRATEGIES) == list(teachers)
    axes = figure_1_2.draw_strategies(STRATEGIES, SIGMOID).axes
    for panel, (name, teacher) in zip(axes, teachers.items(), strict=False):
        learner = {"Teacher\nnetwork" if name == "reversed" else "Student\nnetwork"}
        arrows_named = {"hard", "soft"} if teacher else {"hard"}
        assert set(texts(panel)) == learner | {"Labels"} | teacher | arrows_named
        assert arrows(panel) == len(arrows_named)


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
    for formula in (SIGMOID, FORMULAS["softmax-eq7"]):
        shown = set(texts(figure_1_2.draw_loss(formula).axes[0]))
        assert {term.mathtext for term in formula.terms} <= shown
        key = set(texts(figure_1_2.draw_strategies({}, formula).axes[0]))
        kinds = {True: "soft", False: "hard"}
        assert {f"{kinds[term.soft]}: {term.comparison}" for term in formula.terms} <= key
    with pytest.raises(ValueError, match="one soft and one hard term"):
        figure_1_2.draw_loss(Formula("hard alone", SIGMOID.terms[:1]))


def test_the_words_and_the_table_follow_the_code():
    words = strategies_words(STRATEGIES)
    assert "(c) Reversed distillation: the teacher network learns from the labels" in words
    changed = {"x": replace(STRATEGIES["defective"], defective=False)}
    assert "a quarter trained" in words
    assert "a quarter trained" not in strategies_words(changed)
    assert "both softened by T" in loss_words(SIGMOID)
    rows = table(STRATEGIES)
    assert rows["panel"].tolist() == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    learned = rows.set_index("panel")["learns from"]
    assert learned["(a)"] == "the labels"
    assert learned["(c)"] == "the labels and the student network, trained"
