"""Claims are complete and consistent, and the verdict rule does what it says."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestkd.distillation.run_names import RunName
from chestkd.paper import published, verdicts
from chestkd.paper.claims import (
    ABOUT_TWICE,
    ABOVE_ZERO,
    CLAIMS,
    NOT_ABOVE_ZERO,
    Claim,
    claim,
)
from chestkd.paper.comparisons import Comparison, MapName
from chestkd.paper.verdicts import EFFECT_COLUMNS, MEAN, judge, overall, verdict


def effects_of(*rows):
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def all_effects(subject: Claim, effect: float, half_width: float) -> pd.DataFrame:
    """Every comparison of a claim with one effect, and the mean with a tenth of the width."""
    rows = []
    for part in subject.parts:
        for pair in part.comparisons:
            row = (pair.label, effect, effect - half_width, effect + half_width)
            rows.append((subject.id, part.name, *row))
        row = (MEAN, effect, effect - half_width / 10, effect + half_width / 10)
        rows.append((subject.id, part.name, *row))
    return effects_of(*rows)


# The claims as data.


def test_twelve_claims_with_unique_comparisons():
    assert [item.id for item in CLAIMS] == [f"C{number}" for number in range(1, 13)]
    for item in CLAIMS:
        labels = [pair.label for part in item.parts for pair in part.comparisons]
        assert len(set(labels)) == len(labels)
        assert MEAN not in labels
        assert len({part.name for part in item.parts}) == len(item.parts)
    with pytest.raises(ValueError, match="unknown claim 'C13'; allowed: C1, C2"):
        claim("C13")


def test_numbers_of_comparisons():
    counts = {item.id: [len(part.comparisons) for part in item.parts] for item in CLAIMS}
    assert counts == {
        "C1": [8],
        "C2": [8],
        "C3": [4],
        "C4": [9],
        "C5": [10],
        "C6": [10],
        "C7": [5],
        "C8": [8, 1],
        "C9": [38],
        "C10": [5],
        "C11": [8],
        "C12": [6],
    }


def test_comparisons_point_the_way_the_claim_says():
    labels = {item.id: item.parts[0].comparisons[0].label for item in CLAIMS}
    assert labels["C1"] == "base resnet-152 over base mobilenet-v1"
    assert labels["C4"] == "reversed resnet-152 from mobilenet-v1 over base resnet-152"
    assert labels["C6"] == (
        "standard mobilenet-v1 from resnet-152 over defective mobilenet-v1 from resnet-152"
    )
    assert labels["C11"] == "smoothgrad-integrated-gradients of Atelectasis over cam of Atelectasis"
    assert labels["C12"] == "base mobilenet-v1 image-wise over base mobilenet-v1"
    assert claim("C8").parts[1].comparisons[0].label == (
        "self-training densenet-121 over standard densenet-121 from resnet-152"
    )


def test_no_comparison_sets_a_procedure_against_itself():
    same = {
        RunName(strategy, "densenet-121", "densenet-121")
        for strategy in ("standard", "reversed", "self-training")
    }
    for item in CLAIMS:
        for part in item.parts:
            assert not any({pair.one, pair.other} <= same for pair in part.comparisons)


def test_runs_of_the_claims_are_those_of_table1():
    runs = set(published.aucs())
    assert len(runs) == 41
    for item in CLAIMS[:10]:
        assert set(item.names) <= runs
    best = claim("C9")
    missing = runs - set(best.names)
    assert {(run.strategy, run.network, run.teacher) for run in missing} == {
        ("standard", "densenet-121", "densenet-121"),
        ("reversed", "densenet-121", "densenet-121"),
    }


# What the paper's tables say about them: effects as expected, counted by hand.


def test_what_the_paper_shows():
    ledger = verdicts.ledger(effects_of())
    counts = ledger.set_index(["claim", "part"])["paper_as_expected"].to_dict()
    assert counts == {
        ("C1", "all"): "8 of 8",
        ("C2", "all"): "8 of 8",
        ("C3", "all"): "4 of 4",
        ("C4", "all"): "8 of 9",
        ("C5", "all"): "6 of 10",
        ("C6", "all"): "9 of 10",
        ("C7", "all"): "5 of 5",
        ("C8", "weak students"): "8 of 8",
        ("C8", "DenseNet-121"): "1 of 1",
        ("C9", "all"): "38 of 38",
        ("C10", "all"): "5 of 5",
        ("C11", "all"): "",
        ("C12", "all"): "",
    }
    effect = ledger.set_index(["claim", "part"])["paper_effect"]
    # (0.0358 + 0.0098 + 0.0329 + 0.0272 + 0.0159) / 5; 0.8256 - 0.8097; 0.8256 - 0.8076.
    assert effect["C7", "all"] == pytest.approx(0.02432)
    assert effect["C9", "all"] == pytest.approx(0.0159)
    assert effect["C8", "DenseNet-121"] == pytest.approx(0.018)
    ratios = [345 / 182, 362 / 192, 319 / 168, 375 / 198, 508 / 258]
    assert effect["C10", "all"] == pytest.approx(sum(ratios) / 5)


# The rule for one interval.


@pytest.mark.parametrize(
    ("low", "high", "claimed", "expected"),
    [
        (0.01, 0.02, ABOVE_ZERO, "supported"),
        (-0.02, -0.01, ABOVE_ZERO, "contradicted"),
        (-0.01, 0.02, ABOVE_ZERO, "undecided"),
        # Zero is not above zero.
        (0.0, 0.02, ABOVE_ZERO, "undecided"),
        (-0.01, 0.0, ABOVE_ZERO, "contradicted"),
        (-0.01, 0.0, NOT_ABOVE_ZERO, "supported"),
        (0.0, 0.02, NOT_ABOVE_ZERO, "undecided"),
        (0.01, 0.02, NOT_ABOVE_ZERO, "contradicted"),
        (1.8, 2.1, ABOUT_TWICE, "supported"),
        (1.0, 1.1, ABOUT_TWICE, "contradicted"),
        (2.6, 2.9, ABOUT_TWICE, "contradicted"),
        (1.4, 2.1, ABOUT_TWICE, "undecided"),
        (1.0, 3.0, ABOUT_TWICE, "undecided"),
    ],
)
def test_verdict(low, high, claimed, expected):
    assert verdict(low, high, claimed) == expected


def test_verdict_refuses_a_wrong_interval():
    for low, high in ((0.2, 0.1), (math.nan, 0.1), (0.1, math.nan)):
        with pytest.raises(ValueError, match="needs low <= high"):
            verdict(low, high, ABOVE_ZERO)


finite = st.floats(-1, 1)


@given(finite, finite, finite, finite)
def test_a_narrower_interval_never_reverses_a_verdict(a, b, c, d):
    low, high = sorted((a, b))
    inner_low, inner_high = np.clip(sorted((c, d)), low, high)
    outer = verdict(low, high, ABOVE_ZERO)
    inner = verdict(inner_low, inner_high, ABOVE_ZERO)
    assert outer in ("undecided", inner)


@given(finite, finite)
def test_opposite_ranges_give_opposite_verdicts(a, b):
    low, high = sorted((a, b))
    opposite = {"supported": "contradicted", "contradicted": "supported", "undecided": "undecided"}
    assert verdict(low, high, NOT_ABOVE_ZERO) == opposite[verdict(low, high, ABOVE_ZERO)]


# The rule for claims of several comparisons.


def test_the_mean_decides():
    (outcome,) = judge(claim("C2"), all_effects(claim("C2"), 0.02, 0.1))
    # No single comparison is clear, their mean is.
    assert (outcome.verdict, outcome.effect) == ("supported", 0.02)
    assert (outcome.low, outcome.high) == pytest.approx((0.01, 0.03))
    assert (outcome.compared, outcome.as_expected, outcome.missing) == (8, 8, ())


def test_every_comparison_decides():
    effects = all_effects(claim("C9"), 0.02, 0.01)
    (outcome,) = judge(claim("C9"), effects)
    assert outcome.verdict == "supported"
    effects.loc[5, ["effect", "low", "high"]] = [0.01, -0.01, 0.03]
    (outcome,) = judge(claim("C9"), effects)
    assert (outcome.verdict, outcome.effect, outcome.low) == ("undecided", 0.01, -0.01)
    effects.loc[7, ["effect", "low", "high"]] = [-0.02, -0.03, -0.01]
    (outcome,) = judge(claim("C9"), effects)
    assert (outcome.verdict, outcome.effect) == ("contradicted", -0.02)
    assert outcome.as_expected == 37


def test_two_parts_must_both_hold():
    subject = claim("C8")
    effects = all_effects(subject, 0.02, 0.01)
    assert overall(judge(subject, effects)) == "supported"
    of_densenet = effects["part"] == "DenseNet-121"
    effects.loc[of_densenet, ["effect", "low", "high"]] = [0.01, -0.01, 0.03]
    assert overall(judge(subject, effects)) == "undecided"
    effects.loc[of_densenet, ["effect", "low", "high"]] = [-0.02, -0.03, -0.01]
    assert overall(judge(subject, effects)) == "contradicted"
    assert overall(judge(subject, effects[~of_densenet])) == "not run"


def test_missing_runs_are_listed():
    effects = all_effects(claim("C7"), 0.02, 0.01)
    effects = effects[effects["comparison"] != "self-training vgg-19 over base vgg-19"]
    (outcome,) = judge(claim("C7"), effects)
    assert outcome.verdict == "not run"
    assert math.isnan(outcome.effect)
    assert outcome.compared == 4
    assert [pair.label for pair in outcome.missing] == ["self-training vgg-19 over base vgg-19"]
    (outcome,) = judge(claim("C7"), effects, partial=True)
    assert (outcome.verdict, len(outcome.missing)) == ("supported", 1)
    (outcome,) = judge(claim("C7"), effects_of(), partial=True)
    assert (outcome.verdict, len(outcome.missing)) == ("not run", 5)


def test_best_of_all_needs_all():
    effects = all_effects(claim("C9"), 0.02, 0.01).iloc[3:]
    (outcome,) = judge(claim("C9"), effects, partial=True)
    assert (outcome.verdict, len(outcome.missing)) == ("undecided", 3)
    effects.loc[5, ["effect", "low", "high"]] = [-0.02, -0.03, -0.01]
    assert judge(claim("C9"), effects, partial=True)[0].verdict == "contradicted"


def test_one_comparison_needs_no_mean():
    label = claim("C7").parts[0].comparisons[0].label
    effects = effects_of(("C7", "all", label, 0.02, 0.01, 0.03))
    (outcome,) = judge(claim("C7"), effects, partial=True)
    assert (outcome.verdict, outcome.low, outcome.high) == ("supported", 0.01, 0.03)


def test_ledger_has_a_row_for_each_part():
    ledger = verdicts.ledger(all_effects(claim("C8"), 0.02, 0.01))
    assert ledger["claim"].tolist() == [
        *("C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C8", "C9", "C10", "C11", "C12")
    ]
    table = ledger.set_index("claim")
    assert set(table.loc["C8", "verdict"]) == {"supported"}
    assert set(table.loc["C8", "compared"]) == {"8 of 8", "1 of 1"}
    assert set(table.drop("C8")["verdict"]) == {"not run"}
    assert table.loc["C7", "missing"].count(";") == 4


def test_wrong_effects_are_refused():
    good = all_effects(claim("C7"), 0.02, 0.01)
    with pytest.raises(ValueError, match=r"effects lack the columns \['low'\]"):
        judge(claim("C7"), good.drop(columns="low"))
    with pytest.raises(ValueError, match=r"twice in the effects: \('C7', 'all', 'self-training m"):
        judge(claim("C7"), pd.concat([good, good.iloc[:1]]))
    with pytest.raises(ValueError, match="claim C7, part 'all' has no comparison 'x over y'"):
        judge(claim("C7"), good.replace(good["comparison"][0], "x over y"))
    with pytest.raises(ValueError, match="part 'some' has no comparison"):
        judge(claim("C7"), good.replace("all", "some"))
    with pytest.raises(ValueError, match="unknown claim 'C77'"):
        judge(claim("C7"), good.replace("C7", "C77"))
    with pytest.raises(ValueError, match="row 0 of the effects is not finite"):
        judge(claim("C7"), good.assign(low=[math.nan, *good["low"][1:]]))
    with pytest.raises(ValueError, match=r"claim C7, part 'all': 5 comparisons need a row 'mean'"):
        judge(claim("C7"), good.iloc[:-1])
    with pytest.raises(ValueError, match=r"the row 'mean' says 0.02.* have the mean 0.0"):
        judge(claim("C7"), good.iloc[[0, 1, 5]].assign(effect=[0.02, 0.04, 0.02]), partial=True)


# Names.


def test_labels():
    assert MapName("cam", "Mass").label == "cam of Mass"
    assert RunName("self-training", "vgg-19", "vgg-19").label == "self-training vgg-19"
    pair = Comparison(RunName("standard", "vgg-19", "resnet-50"), RunName("base", "vgg-19"))
    assert pair.label == "standard vgg-19 from resnet-50 over base vgg-19"


def test_a_run_is_named_after_who_is_taught():
    assert RunName.of_pair("base", "vgg-19", "resnet-50") == RunName("base", "vgg-19")
    assert RunName.of_pair("reversed", "vgg-19", "resnet-50").network == "resnet-50"
    with pytest.raises(ValueError, match="unknown strategy 'standart'; allowed: base, standard"):
        RunName("standart", "vgg-19", "resnet-50")
    with pytest.raises(ValueError, match="'base' needs no teacher"):
        RunName("base", "vgg-19", "resnet-50")
    with pytest.raises(ValueError, match="'standard' needs a teacher"):
        RunName("standard", "vgg-19")
