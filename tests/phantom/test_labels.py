import gzip

import numpy as np
import pandas as pd
import phantom_tables
import pytest

from chestkd.findings import FINDINGS, finding_index
from chestkd.phantom.histories import REAL, real_histories
from chestkd.phantom.labels import (
    FALSE_NEGATIVE_RATES,
    draw_plan,
    draw_severities,
    draw_truth,
)
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.statistics import (
    patient_sums,
    plan_table,
    statistics,
    visit_counts,
    with_intervals,
)

# Numbers of NIH's label table that do not come from this library's own code.
PUBLISHED = {
    "prevalence Infiltration": 19_894 / 112_120,
    "prevalence Hernia": 227 / 112_120,
    "prevalence No Finding": 60_361 / 112_120,
    "share of AP views": 44_810 / 112_120,
    "images per patient": 112_120 / 30_805,
    "patients with one image": 17_503 / 30_805,
    "share of test images": 25_596 / 112_120,
    "persistence Pneumothorax": 0.56,
    "persistence Pneumonia": 0.13,
    "lift Edema-Pneumonia": 11.6,
    "lift Atelectasis-Effusion": 2.4,
}


@pytest.fixture(scope="module")
def real() -> pd.Series:
    return pd.read_csv(REAL / "statistics.csv", index_col="statistic")["value"]


@pytest.fixture(scope="module")
def large_draw():
    return draw_plan(PhantomSpecification(images=112_120, size=32, seed=3, tempering=0))


def specification(**knobs):
    return PhantomSpecification(**{"images": 4000, "size": 32, "seed": 1, **knobs})


def test_the_shipped_statistics_are_the_published_ones(real):
    for name, value in PUBLISHED.items():
        assert real[name] == pytest.approx(value, rel=0.01), name


def test_the_joint_table_adds_up_and_is_that_of_the_histories():
    table = pd.read_csv(REAL / "label_sets.csv")
    histories = real_histories()
    assert table["images"].sum() == 112_120
    assert table["labels"].nunique() == 801
    np.testing.assert_array_equal(np.bincount(histories.code), table["images"])
    assert len(histories.test) == 30_805
    assert np.diff(histories.start).max() == 184


def test_the_shipped_tables_are_recomputed_from_the_real_metadata(shared, tmp_path, monkeypatch):
    metadata = phantom_tables.read_metadata(shared / "data" / "chestxray14-sample")
    monkeypatch.setattr(phantom_tables, "REAL", tmp_path)
    phantom_tables.write_tables(metadata)
    for name in ("label_sets.csv", "statistics.csv", "visits.csv"):
        assert (tmp_path / name).read_text() == (REAL / name).read_text(), name
    name = "histories.csv.gz"
    assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress(
        (REAL / name).read_bytes()
    )


def test_every_statistic_of_a_large_draw_is_within_sampling_error(large_draw, real):
    drawn = with_intervals(plan_table(large_draw), np.random.default_rng(0), resamples=100)
    assert list(drawn.index) == list(real.index)
    deviation = (drawn["value"] - real) / drawn["error"]
    assert deviation.abs().max() < 4.5, deviation[deviation.abs() > 4.5]
    # Most of the 62 lie within one standard error or two, as they should by chance.
    assert 0.7 < deviation.std() < 1.4


def test_the_tail_of_visits_is_as_heavy_as_the_real_one(large_draw):
    drawn = visit_counts(plan_table(large_draw))
    real_visits = pd.read_csv(REAL / "visits.csv", index_col="images")["patients"]
    for least in (1, 2, 5, 10, 20, 50):
        expected = (real_visits.index >= least) @ real_visits
        counted = (drawn.index >= least) @ drawn
        assert counted == pytest.approx(expected, abs=5 * np.sqrt(expected) + 1), least
    assert drawn.index.max() > 100


def test_a_patient_has_one_sex_one_list_and_grows_older(large_draw):
    table = plan_table(large_draw)
    by_patient = table.groupby("patient")
    for column in ("female", "test"):
        assert (by_patient[column].min() == by_patient[column].max()).all()
    assert (by_patient["age"].diff().fillna(0) >= 0).all()


def test_statistics_of_a_table_counted_by_hand():
    table = pd.DataFrame(
        {
            "patient": [1, 1, 1, 2],
            "age": [40, 41, 42, 60],
            "female": [True, True, True, False],
            "view": ["PA", "AP", "AP", "PA"],
            "labels": ["Edema", "Edema|Pneumonia", "No Finding", "Pneumonia"],
            "test": [False, False, False, True],
        }
    )
    values = statistics(patient_sums(table).sum().to_frame().T).iloc[0]
    assert values["images per patient"] == 2
    assert values["patients with one image"] == 0.5
    assert values["share of AP views"] == 0.5
    assert values["mean age"] == 45.75
    assert values["prevalence Edema"] == 0.5
    assert values["AP share Edema"] == 0.5
    # Edema is followed by another visit twice and still there once.
    assert values["persistence Edema"] == 0.5
    # One image has both, of two and two among four: as often as by chance.
    assert values["lift Edema-Pneumonia"] == 1
    assert values["prevalence No Finding"] == 0.25


def test_both_lists_have_their_real_share(large_draw):
    assert large_draw.test.mean() == pytest.approx(25_596 / 112_120, abs=0.002)
    small = draw_plan(specification(images=60))
    assert small.test.mean() == pytest.approx(0.228, abs=0.06)


def test_missed_and_wrong_labels_come_at_their_rates():
    wrong_rate = 0.1
    plan = draw_plan(specification(images=112_120, tempering=0.0, false_positive_rate=wrong_rate))
    truth, recorded = plan.severities > 0, plan.recorded == 1
    for index, name in enumerate(FINDINGS):
        missed = (truth & ~recorded)[:, index].sum() / truth[:, index].sum()
        error = np.sqrt(0.25 / truth[:, index].sum())
        assert missed == pytest.approx(FALSE_NEGATIVE_RATES[name], abs=4 * error), name
    assert (recorded & ~truth).sum() / recorded.sum() == pytest.approx(wrong_rate, abs=0.005)


def test_without_label_noise_the_truth_is_what_is_recorded():
    plan = draw_plan(specification(false_negative_scale=0.0, false_positive_rate=0.0))
    np.testing.assert_array_equal(plan.severities > 0, plan.recorded)


def test_the_chance_of_a_missed_finding_worked_out_by_hand():
    # 100 PA images, 20 with Mass, no wrong labels: a false-negative rate of .42 means
    # 20 * .42 / .58 = 14.5 missed ones among the other 80.
    recorded = np.zeros((100_000, 14), np.uint8)
    recorded[:20_000, finding_index("Mass")] = 1
    knobs = specification(false_positive_rate=0.0)
    _, missed = draw_truth(recorded, np.full(100_000, "PA"), knobs, np.random.default_rng(0))
    assert missed[:, finding_index("Mass")].sum() == pytest.approx(14_483, abs=450)
    assert missed.sum() == missed[:, finding_index("Mass")].sum()


def test_severities_follow_the_beta_and_last_from_visit_to_visit():
    patient = np.repeat(np.arange(1, 20_001), 2)
    truth = np.ones((len(patient), 14), bool)
    missed = np.zeros_like(truth)
    missed[:, 1] = True
    severities = draw_severities(patient, truth, missed, specification(severity_mean=0.4))
    assert ((severities > 0) & (severities <= 1)).all()
    assert severities[:, 0].mean() == pytest.approx(0.4, abs=0.01)
    # Variance of Beta(1.2, 1.8): .4 * .6 / 4.
    assert severities[:, 0].var() == pytest.approx(0.06, rel=0.05)
    assert severities[:, 1].mean() < 0.3
    assert 0.5 < np.corrcoef(severities[::2, 0], severities[1::2, 0])[0, 1] < 0.7


def test_the_shortcut_accompanies_its_finding_in_ap_views_only():
    plan = draw_plan(specification(images=20_000, shortcut="Effusion"))
    present = plan.severities[:, finding_index("Effusion")] > 0
    ap = plan.view == "AP"
    assert not plan.shortcut[~ap].any()
    assert plan.shortcut[ap & present].mean() == pytest.approx(0.9, abs=0.02)
    assert plan.shortcut[ap & ~present].mean() == pytest.approx(0.05, abs=0.02)
    assert not draw_plan(specification()).shortcut.any()
