"""From measured numbers to effects, with the numbers worked out by hand."""

import numpy as np
import pytest

from chestkd.distillation.run_names import RunName
from chestkd.evaluation.intervals import Measured
from chestkd.pages.effects import measured_effects
from chestkd.paper import published, verdicts
from chestkd.paper.claims import CLAIMS, Claim, EffectRange, Part, claim
from chestkd.paper.comparisons import Comparison
from chestkd.paper.verdicts import MEAN

AUC_CLAIMS = [item for item in CLAIMS if item.measure == claim("C1").measure]
PAIR = Comparison(RunName("standard", "vgg-19", "resnet-50"), RunName("base", "vgg-19"))
OTHER = Comparison(RunName("standard", "resnet-32", "resnet-50"), RunName("base", "resnet-32"))


def two_comparisons(kind: str = "difference") -> Claim:
    return Claim("C1", "", "", "AUC", (Part((PAIR, OTHER), EffectRange(0, 1)),), kind=kind)


def of_one_seed(numbers):
    return {name: {0: Measured(value, sample)} for name, (value, sample) in numbers.items()}


def test_measured_effects_by_hand():
    drawn = np.linspace(-1, 1, 2001)
    measured = of_one_seed(
        {
            PAIR.one: (0.8, 0.8 + drawn),
            PAIR.other: (0.7, np.full(2001, 0.7)),
            # Falls when the other comparison rises: their mean does not move.
            OTHER.one: (0.6, np.full(2001, 0.6)),
            OTHER.other: (0.7, 0.7 + drawn),
        }
    )
    table = measured_effects([two_comparisons()], measured)
    assert table["comparison"].tolist() == [PAIR.label, OTHER.label, MEAN]
    assert table["effect"].tolist() == pytest.approx([0.1, -0.1, 0.0])
    assert table["low"].tolist() == pytest.approx([0.1 - 0.95, -0.1 - 0.95, 0.0])
    assert table["high"].tolist() == pytest.approx([0.1 + 0.95, -0.1 + 0.95, 0.0])


def test_measured_ratios():
    one, other = (30.0, np.array([30.0, 33.0])), (15.0, np.array([15.0, 15.0]))
    measured = of_one_seed({PAIR.one: one, PAIR.other: other})
    table = measured_effects([two_comparisons("ratio")], measured)
    assert table["effect"].tolist() == [2.0, 2.0]
    assert table["high"].tolist() == pytest.approx([2.195, 2.195])


def test_undefined_resamples_are_left_out():
    one, other = (0.8, np.array([0.8, np.nan])), (0.7, np.array([0.7, 0.7]))
    table = measured_effects([two_comparisons()], of_one_seed({PAIR.one: one, PAIR.other: other}))
    assert table["low"].tolist() == pytest.approx([0.1, 0.1])


def test_measured_effects_refuse_what_cannot_be_compared():
    measured = of_one_seed({PAIR.one: (0.8, np.zeros(3)), PAIR.other: (0.7, np.zeros(4))})
    with pytest.raises(ValueError, match=r"one shape \(R,\), received .*vgg-19': \(4,\)"):
        measured_effects([two_comparisons()], measured)
    with pytest.raises(ValueError, match="must rest on one measure"):
        measured_effects(CLAIMS, measured)


def test_effects_feed_the_ledger():
    """From the AUCs of Table 1, with made-up noise, to verdicts."""
    generator = np.random.default_rng(0)
    aucs = published.aucs()
    noisy = {name: (auc, auc + generator.normal(0, 1e-3, 200)) for name, auc in aucs.items()}
    table = measured_effects(AUC_CLAIMS, of_one_seed(noisy))
    ledger = verdicts.ledger(table).set_index("claim")
    for name in ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C9"):
        assert ledger.loc[name, "verdict"] == "supported"
        assert ledger.loc[name, "effect"] == pytest.approx(ledger.loc[name, "paper_effect"])
        assert ledger.loc[name, "as_expected"] == ledger.loc[name, "paper_as_expected"]
    assert set(ledger.loc[["C10", "C11", "C12"], "verdict"]) == {"not run"}
