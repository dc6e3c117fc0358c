"""Each formula, evaluated in float64 as it is printed, is what its loss computes."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax

from chestkd.distillation import losses
from chestkd.distillation.formulas import FORMULAS, Term

SOFT = Term("a * T**2", "KL", "t/T", "s/T")
HARD = Term("(1 - a)", "BCE", "y", "s")


def distribution(term: Term, target: np.ndarray, per_finding: bool) -> np.ndarray:
    """The target's probabilities: of each finding, or shared out among the findings."""
    if per_finding:
        return expit(target) if term.soft else target
    if term.soft:
        return softmax(target, axis=1)
    return target / np.maximum(target.sum(axis=1, keepdims=True), 1)


def cross_entropy(target: np.ndarray, prediction: np.ndarray, per_finding: bool) -> np.ndarray:
    if per_finding:
        absent = (1 - target) * log_expit(-prediction)
        return -(target * log_expit(prediction) + absent).mean(axis=1)
    return -(target * log_softmax(prediction, axis=1)).sum(axis=1)


def value(term: Term, names: dict, per_finding: bool) -> np.ndarray:
    weight, target, prediction = (
        eval(text, names) for text in (term.weight, term.target, term.prediction)
    )
    shares = distribution(term, target, per_finding)
    distance = cross_entropy(shares, prediction, per_finding)
    if term.distance == "KL":
        distance = distance - cross_entropy(shares, target, per_finding)
    return weight * distance


@pytest.mark.parametrize("name", FORMULAS)
def test_each_formula_is_what_its_loss_computes(name):
    generator = np.random.default_rng(0)
    y = (generator.random((5, 14)) < 0.3).astype(float)
    s, t = generator.normal(0, 2, (2, 5, 14))
    names = {"a": 0.3, "T": 4.0, "y": y, "s": s, "t": t}
    terms = FORMULAS[name].terms
    per_finding = any(term.distance == "BCE" for term in terms)
    expected = sum(value(term, names, per_finding) for term in terms)
    computed = np.asarray(losses.LOSSES[name](y, s, t, alpha=0.3, temperature=4.0))
    assert expected.shape == (5,)
    np.testing.assert_allclose(computed, expected, rtol=1e-5)


@pytest.mark.parametrize("name", FORMULAS)
def test_each_docstring_opens_with_the_formula(name):
    assert losses.LOSSES[name].__doc__.startswith(f"``{FORMULAS[name]}``")


def test_each_term_is_printed_as_in_the_paper():
    assert str(FORMULAS["sigmoid"]) == "(1 - a) BCE(y, s) + a T^2 KL(t/T, s/T)"
    assert str(FORMULAS["softmax-eq5"].terms[1]) == "2 a T^2 H(t/T, s/T)"
    assert str(FORMULAS["softmax-eq7"].terms[0]) == "H(t/T, s/T)"
    assert (HARD.soft, SOFT.soft) == (False, True)
    assert SOFT.comparison == r"$\mathrm{KL}(t/T,\, s/T)$"
    assert SOFT.mathtext == r"$\alpha T^2\;$" + SOFT.comparison
    assert HARD.mathtext == r"$(1 - \alpha)\;$" + HARD.comparison
    assert FORMULAS["softmax-eq7"].terms[1].mathtext == r"$\mathrm{H}(y,\, s)$"


def test_formulas_are_read_without_keras():
    code = (
        "import sys, chestkd.distillation.formulas, chestkd.study.presets; "
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
