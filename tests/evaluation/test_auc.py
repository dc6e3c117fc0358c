import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from chestkd.evaluation.auc import (
    MEAN,
    Resamples,
    auc_difference,
    auc_scores,
    auc_table,
    mean_auc,
)
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
    monkeypatch.setattr("chestkd.evaluation.auc._BLOCK_ELEMENTS", 900)
    assert auc_table(labels, scores, patients, resamples=40).equals(whole)


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
