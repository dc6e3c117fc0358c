from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from chestkd.evaluation.auc import (
    FEW_EXPLAINED,
    MEAN,
    auc_difference,
    auc_scores,
    auc_table,
    mean_auc,
)
from chestkd.evaluation.intervals import Estimate
from chestkd.evaluation.resamples import Resamples
from chestkd.findings import FINDINGS


def random_case(seed: int, images: int = 300, findings: int = 14):
    generator = np.random.default_rng(seed)
    labels = (generator.random((images, findings)) < 0.3).astype(np.uint8)
    scores = labels + generator.normal(size=labels.shape)
    patients = generator.integers(images // 4, size=images)
    return labels, scores, patients


def test_auc_by_hand():
    labels = np.array([[0], [1], [0], [1]])
    # Pairs (positive, negative): .4 > .1, .4 > .3, .3 > .1, .3 = .3 counts one half: 3.5 of 4.
    scores = np.array([[0.1], [0.4], [0.3], [0.3]])
    assert auc_scores(labels, scores).tolist() == [0.875]


def test_a_finding_without_positives_has_no_auc():
    labels, scores, patients = random_case(0)
    labels[:, 13] = 0
    labels[:, 12] = 1
    table = auc_table(labels, scores, patients, resamples=20).set_index("finding")
    assert np.isnan(table.loc["Hernia", "auc"])
    assert table.loc["Hernia", "note"] == "n/a (0 positives)"
    assert table.loc["Pleural_Thickening", "note"] == "n/a (0 negatives)"
    assert table.loc[MEAN, "note"] == "of 12 findings"
    assert table.loc[MEAN, "auc"] == pytest.approx(table["auc"].iloc[:12].mean())
    assert mean_auc(labels, scores) == pytest.approx(table.loc[MEAN, "auc"])


def test_no_finding_at_all_is_an_error():
    labels = np.zeros((5, 14), np.uint8)
    with pytest.raises(ValueError, match="among 5 images"):
        mean_auc(labels, np.zeros((5, 14)))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_a_resample_is_scikit_learns_weighted_auc(seed, decimals):
    labels, scores, patients = random_case(seed, images=60, findings=2)
    scores = np.round(scores, decimals - 2)  # coarse rounding makes ties
    resamples = Resamples.draw(patients, 4, seed)
    drawn = resamples.auc_scores(labels, scores)
    for row, counts in enumerate(resamples.counts):
        weights = counts[resamples.patient]
        for column in range(2):
            expected = roc_auc_score(labels[:, column], scores[:, column], sample_weight=weights)
            assert drawn[row, column] == pytest.approx(expected, abs=1e-12)


def test_a_resample_draws_whole_patients():
    patients = np.array([7, 7, 7, 9, 4])
    resamples = Resamples.draw(patients, 50, seed=1)
    assert (resamples.counts.sum(axis=1) == 3).all()
    weights = resamples.weights
    assert weights.dtype == np.float64
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 1] == weights[:, 2]).all()


def test_blocks_do_not_change_the_result(monkeypatch):
    labels, scores, patients = random_case(3)
    whole = auc_table(labels, scores, patients, resamples=40)
    monkeypatch.setattr("chestkd.evaluation.resamples._BLOCK_ELEMENTS", 900)
    # Other scores in the same order: those above are remembered.
    assert auc_table(labels, 2 * scores, patients, resamples=40).equals(whole)


def test_what_is_remembered_cannot_be_changed_from_outside():
    labels, scores, patients = random_case(3)
    resamples = Resamples.draw(patients, 20)
    first, again = (resamples.auc_scores(labels, scores) for _ in range(2))
    assert np.array_equal(first, again, equal_nan=True)
    first[:] = 0
    assert np.array_equal(resamples.auc_scores(labels, scores), again, equal_nan=True)
    other = Resamples.draw(patients, 20, seed=1).auc_scores(labels, scores)
    assert not np.array_equal(other, again, equal_nan=True)


def test_interval_covers_and_narrows_with_patients():
    """The interval over patients is wider than over images when images repeat their patient."""
    labels, scores, _ = random_case(5, images=200)
    repeated = [np.repeat(array, 5, axis=0) for array in (labels, scores)]
    clustered = auc_table(*repeated, np.repeat(np.arange(200), 5), resamples=300)
    naive = auc_table(*repeated, np.arange(1000), resamples=300)
    width = (clustered["high"] - clustered["low"]) / (naive["high"] - naive["low"])
    assert width.between(1.7, 2.9).all()  # sqrt(5) = 2.24 in expectation
    assert ((clustered["low"] <= clustered["auc"]) & (clustered["auc"] <= clustered["high"])).all()


def test_interval_agrees_with_the_normal_approximation():
    labels, scores, _ = random_case(11, images=2000)
    table = auc_table(labels, scores, np.arange(2000), resamples=500)
    row = table.iloc[0]
    ones, zeros, area = row["positives"], row["negatives"], row["auc"]
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)  # Hanley and McNeil 1982
    variance = area * (1 - area) + (ones - 1) * (q1 - area**2) + (zeros - 1) * (q2 - area**2)
    expected = 2 * 1.96 * np.sqrt(variance / (ones * zeros))
    assert row["high"] - row["low"] == pytest.approx(expected, rel=0.2)


def test_a_paired_comparison():
    labels, scores, patients = random_case(2)
    same = auc_difference(labels, scores, scores, patients, resamples=50)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    noise = np.random.default_rng(0).normal(size=scores.shape)
    worse = auc_difference(labels, scores + noise, scores, patients, resamples=200)
    assert worse.high < 0
    single = auc_table(labels, scores, patients, resamples=200).iloc[-1]
    assert worse.high - worse.low < 1.5 * (single["high"] - single["low"])
    assert worse.value == pytest.approx(mean_auc(labels, scores + noise) - mean_auc(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros((3, 14)), np.zeros((4, 14)), r"\(3, 14\) and \(4, 14\)"),
        (np.zeros((3, 14)), np.full((3, 14), np.nan), "3 of 3 images"),
    ],
)
def test_bad_input(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auc_scores(labels, scores)


def test_every_finding_has_a_row():
    labels, scores, patients = random_case(1)
    table = auc_table(labels, scores, patients, resamples=10)
    assert table["finding"].tolist() == [*FINDINGS, MEAN]


# What a resample leaves undefined, and findings of few patients.


def few_patients():
    """Six patients: Hernia in the image of one, Fibrosis in one of the two images of another."""
    patients = np.array([1, 2, 3, 3, 4, 5, 6])
    labels = np.zeros((7, 14), np.uint8)
    labels[[0, 1, 2, 4], :12] = 1
    labels[2, FINDINGS.index("Pleural_Thickening")] = 1
    labels[0, FINDINGS.index("Hernia")] = 1
    return labels, patients


def test_what_a_resample_leaves_undefined_by_hand():
    # Three patients; the first has an image with the finding and one without.
    labels, patient = np.array([[1], [0], [0], [0]]), np.array([0, 0, 1, 2])
    counts = np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]], np.int16)
    drawn = Resamples(counts, patient)
    assert drawn.undefined(labels).tolist() == [[False], [True], [False]]
    assert np.isnan(drawn.auc_scores(labels, labels * 1.0)).tolist() == [[False], [True], [False]]
    assert drawn.undefined(np.ones((4, 1), int)).all()
    assert drawn.describe(labels) == (
        "3 test patients, worth 3 with equally many images; "
        "a finding is undefined in 33 % of resamples"
    )
    # The last patient has no positives or negatives to lose.
    assert "undefined" not in Resamples(counts[::2], patient).describe(labels)


def test_the_table_counts_undefined_resamples_and_marks_few_patients():
    labels, patients = few_patients()
    scores = np.random.default_rng(0).normal(size=labels.shape)
    table = auc_table(labels, scores, patients, resamples=500).set_index("finding")
    assert table.loc["Hernia", "positive patients"] == 1
    assert table.loc["Edema", "positive patients"] == 4
    assert table.loc[MEAN, "positive patients"] == 4
    # A resample of six misses a given patient with probability (5 / 6)^6 = .335.
    share = table.loc["Hernia", "undefined"]
    assert share == pytest.approx(0.335, abs=0.06)
    assert (
        table.loc["Hernia", "note"] == f"† 1 patient, undefined in {100 * share:.2g} % of resamples"
    )
    drawn = Resamples.draw(patients, 500)
    fewer = drawn.undefined(labels).any(axis=1).mean()
    assert table.loc[MEAN, "undefined"] == fewer
    assert table.loc[MEAN, "note"] == f"of fewer in {100 * fewer:.2g} % of resamples"
    assert f"{100 * fewer:.2g} % of resamples" in drawn.describe(labels)


def test_a_finding_of_ten_patients_is_not_marked():
    labels, scores, _ = random_case(4, images=60)
    labels[:, 0], labels[:, 1] = np.arange(60) < 10, np.arange(60) < 9
    notes = auc_table(labels, scores, np.arange(60), resamples=20)["note"]
    assert not notes[0].startswith("†")
    assert notes[1].startswith("† 9 patients")


def test_the_mean_keeps_resamples_that_leave_a_finding_undefined():
    """Where one finding is undefined, the mean changes as the other 13 do."""
    labels, patients = few_patients()
    scores = np.random.default_rng(0).normal(size=labels.shape)
    drawn = Resamples.draw(patients, 200).auc_scores(labels, scores)
    areas = auc_scores(labels, scores)
    changes = [np.mean([x for x in row if x == x] or [np.nan]) for row in drawn - areas]
    expected = np.nanpercentile(areas.mean() + np.array(changes), [2.5, 97.5])
    row = auc_table(labels, scores, patients, resamples=200).iloc[-1]
    assert row[["low", "high"]].tolist() == pytest.approx(expected.tolist())
    same = auc_difference(labels, scores, scores + 1, patients, resamples=200)
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize(("area", "limits"), [(0.75, (0.83, 0.96)), (0.9, (0.8, 0.9))])
def test_the_coverage_that_the_mark_is_explained_by(area, limits):
    """With 6 positive patients of 60, over 300 draws of a test set, as the explanation says."""
    assert "83 to 96 %" in FEW_EXPLAINED
    assert "85 %" in FEW_EXPLAINED
    generator = np.random.default_rng(0)
    shift = 2**0.5 * NormalDist().inv_cdf(area)  # of two normals with this AUC
    truth = np.arange(60) < 6
    covered = []
    for _ in range(300):
        score = generator.normal(size=60) + shift * truth
        drawn = Resamples.draw(np.arange(60), 300, int(generator.integers(1 << 30)))
        estimate = Estimate.of(0, drawn.auc_scores(truth[:, None] * 1, score[:, None])[:, 0])
        covered.append(estimate.low <= area <= estimate.high)
    assert limits[0] <= np.mean(covered) <= limits[1]
