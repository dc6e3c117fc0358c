import numpy as np
import pytest

from chestkd.findings import FINDINGS, finding_index
from chestkd.phantom import cohort
from chestkd.phantom.histories import Histories, real_histories
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.specification import PhantomSpecification

# Prevalence in the official test list over that in train_val, counted from NIH's tables.
SHIFT = {
    "Infiltration": 1.50,
    "Effusion": 1.82,
    "Atelectasis": 1.34,
    "Nodule": 1.17,
    "Mass": 1.46,
    "Pneumothorax": 3.42,
    "Consolidation": 2.15,
    "Pleural_Thickening": 1.72,
    "Cardiomegaly": 2.12,
    "Emphysema": 2.60,
    "Edema": 2.27,
    "Fibrosis": 1.18,
    "Pneumonia": 2.14,
    "Hernia": 2.06,
}


def specification(**knobs):
    return PhantomSpecification(**{"images": 2000, "size": 64, **knobs})


def expected_prevalence(tempering, images):
    histories = real_histories()
    visits = cohort.longest_visits(histories, images)
    weights = cohort.patient_weights(histories, tempering, visits)
    positives = cohort.expected_positives(histories, visits)
    return cohort.prevalence(histories, weights, visits, positives)


def patients_of_list(plan, test):
    """Images of each patient of one list, and how many equal patients they are worth."""
    counts = np.bincount(plan.patient[plan.test == test])
    counts = counts[counts > 0]
    return counts, counts.sum() ** 2 / (counts**2).sum()


@pytest.mark.parametrize("images", [2, 200, 2000, 12_000, 112_120])
@pytest.mark.parametrize("tempering", [0.0, 0.25, 1.0])
def test_the_expected_shift_between_the_lists_is_the_real_one(tempering, images):
    train, test = expected_prevalence(tempering, images)
    real = [SHIFT[name] for name in FINDINGS]
    np.testing.assert_allclose(test / train, real, atol=0.006)


@pytest.fixture(scope="module", params=[0.25, 1.0])
def drawn_prevalence(request):
    """Prevalence in both lists of 20 phantoms of preset quick's size, (20, 2, 14); tempering."""
    plans = [draw_plan(specification(seed=seed, tempering=request.param)) for seed in range(20)]
    lists = [
        [plan.recorded[chosen].mean(axis=0) for chosen in (~plan.test, plan.test)] for plan in plans
    ]
    return np.array(lists), request.param


def test_the_shift_between_the_lists_is_kept_where_patients_are_drawn(drawn_prevalence):
    """No finding's prevalence in the test list differs by more than chance from the shifted one."""
    prevalence, _ = drawn_prevalence
    excess = prevalence[:, 1] - prevalence[:, 0] * [SHIFT[name] for name in FINDINGS]
    error = excess.std(axis=0, ddof=1) / np.sqrt(len(excess))
    np.testing.assert_array_less(np.abs(excess.mean(axis=0)), 3.5 * error)


def test_the_shift_of_the_findings_that_tempering_once_turned_around(drawn_prevalence):
    """Drawn from one pool at tempering 1, Nodule's was .77 and Fibrosis's .59."""
    prevalence, tempering = drawn_prevalence
    train, test = prevalence.mean(axis=0)
    for name in ("Nodule", "Fibrosis", "Pneumonia", "Mass"):
        index = finding_index(name)
        tolerance = 0.2 if tempering == 1 else 0.4
        assert test[index] / train[index] == pytest.approx(SHIFT[name], rel=tolerance), name


def test_without_tempering_and_in_a_large_phantom_every_history_is_as_likely():
    histories = real_histories()
    weights = cohort.patient_weights(histories, 0.0, np.diff(histories.start))
    for chosen in (histories.test, ~histories.test):
        np.testing.assert_allclose(weights[chosen], 1 / chosen.sum(), rtol=1e-9)


def test_tempering_raises_rare_findings_and_keeps_the_common_ones():
    hernia, infiltration = finding_index("Hernia"), finding_index("Infiltration")
    as_real = draw_plan(specification(images=40_000, tempering=0.0)).recorded.mean(axis=0)
    tempered = draw_plan(specification(images=40_000, tempering=0.5)).recorded.mean(axis=0)
    assert tempered[hernia] > 3 * as_real[hernia]
    assert tempered[infiltration] == pytest.approx(as_real[infiltration], rel=0.25)


@pytest.mark.parametrize("images", [1, 2, 20, 333, 4000])
def test_a_plan_has_exactly_the_images_asked_for(images):
    plan = draw_plan(specification(images=images))
    assert len(plan) == images
    names = [plan.name(row) for row in range(images)]
    assert len(set(names)) == images


@pytest.mark.parametrize("images", [2, 60, 333, 2000, 12_000])
def test_no_patient_owns_more_than_its_share_of_a_list(images):
    plan = draw_plan(specification(images=images, tempering=1.0))
    for test, share in ((True, 0.228), (False, 0.772)):
        counts, _ = patients_of_list(plan, test)
        assert counts.max() <= max(1, cohort.LARGEST_PATIENT * share * images)


@pytest.mark.parametrize("tempering", [0.25, 1.0])
def test_the_test_patients_of_a_small_phantom_are_worth_half_their_number(tempering):
    for seed in range(5):
        counts, worth = patients_of_list(
            draw_plan(specification(seed=seed, tempering=tempering)), True
        )
        assert worth > 0.5 * len(counts)
        assert len(counts) > 90


def test_a_phantom_of_12000_images_has_300_test_patients():
    counts, worth = patients_of_list(draw_plan(specification(images=12_000)), True)
    assert counts.sum() >= 2500
    assert len(counts) >= 300
    assert worth > 90


def test_long_histories_stay_so_that_a_split_by_image_leaks():
    plan = draw_plan(specification())
    counts = np.bincount(plan.patient)[1:]
    # Share of the images whose patient has others: .84 in NIH's table.
    assert counts[counts > 1].sum() / counts.sum() > 0.75
    assert counts.max() >= 20


def test_the_images_of_a_patient_are_a_stretch_of_one_history():
    histories = real_histories()
    drawn = cohort.draw_cohort(histories, specification(tempering=1.0))
    lengths = np.diff(histories.start)[drawn.history]
    assert ((drawn.first >= 0) & (drawn.first + drawn.visits <= lengths)).all()
    long = lengths > drawn.visits + 5
    # Not the first visits only, and not the last.
    assert 0.2 < (drawn.first / np.maximum(lengths - drawn.visits, 1))[long].mean() < 0.8


def test_the_positives_of_a_stretch_by_hand():
    labels = np.zeros((2, 14), np.uint8)
    labels[1, 0] = 1
    histories = Histories(
        start=np.array([0, 4, 5]),
        test=np.array([False, True]),
        female=np.zeros(2, bool),
        age=np.zeros(5, int),
        code=np.array([1, 0, 1, 0, 1]),
        views=np.array(["PA", "AP"]),
        labels=labels,
    )
    # Stretches of two: 1 0, 0 1, 1 0, with one positive each; the whole history has two.
    for visits, first in ((4, 2.0), (3, 1.5), (2, 1.0), (1, 0.5)):
        positives = cohort.expected_positives(histories, np.array([visits, 1]))
        np.testing.assert_allclose(positives[:, 0], [first, 1])
        assert not positives[:, 1:].any()
