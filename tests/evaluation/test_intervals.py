"""Numbers with intervals, worked out by hand."""

import numpy as np
import pytest

from chestkd.evaluation.intervals import (
    Estimate,
    Measured,
    effective_patients,
    mean,
    mean_over_seeds,
)


def test_an_estimate_as_text():
    estimate = Estimate(0.7449, 0.7241, 0.7706)
    assert f"{estimate:.3f}" == "0.745 (0.724 to 0.771)"
    assert f"{100 * estimate:+.1f}" == "+74.5 (+72.4 to +77.1)"
    assert f"{Estimate(0.5, np.nan, np.nan):.2f}" == "0.50 (n/a)"


def test_limits_are_percentiles_of_what_is_defined():
    estimate = Estimate.of(0.0, np.append(np.linspace(-1, 1, 2001), np.nan))
    assert (estimate.low, estimate.high) == pytest.approx((-0.95, 0.95))
    assert np.isnan(Estimate.of(0.0, np.full(3, np.nan)).low)


def test_numbers_are_combined_resample_by_resample():
    one, other = Measured(6.0, np.array([6.0, 8.0])), Measured(2.0, np.array([2.0, 4.0]))
    for combined, expected in (
        (one + other, (8, 8, 12)),
        (one - other, (4, 4, 4)),
        (one / other, (3, 3, 2)),
        (mean([one, other]), (4, 4, 6)),
    ):
        assert (combined.value, *combined.resampled) == expected
    assert mean_over_seeds([one]) is one
    with pytest.raises(ValueError, match=r"must have shape \(R,\), not \(2, 1\)"):
        Measured(0.5, np.zeros((2, 1)))


def test_effective_patients_by_hand():
    # Three images of one patient and one of another: 4^2 / (3^2 + 1^2).
    assert effective_patients(np.array([7, 7, 7, 2])) == 1.6
    assert effective_patients(np.repeat(np.arange(5), 3)) == pytest.approx(5)


def test_a_mean_where_resamples_leave_numbers_undefined():
    nan = np.nan
    one, other = Measured(0.6, np.array([0.7, nan, nan])), Measured(0.8, np.array([0.9, 0.7, nan]))
    found = mean([one, other])
    assert found.value == pytest.approx(0.7)
    # Both rise by .1; the one that is defined falls by .1, and the mean with it; none is defined.
    np.testing.assert_allclose(found.resampled, [0.8, 0.6, nan])
    shares = [number.undefined for number in (one, other, found)]
    assert shares == pytest.approx([2 / 3, 1 / 3, 1 / 3])


def test_the_interval_over_three_seeds_tends_to_be_too_narrow():
    generator = np.random.default_rng(0)
    estimates = [
        mean_over_seeds([Measured(value, np.full(400, value)) for value in values]).estimate
        for values in generator.normal(size=(400, 3))
    ]
    covered = np.mean([estimate.low <= 0 <= estimate.high for estimate in estimates])
    assert 0.6 < covered < 0.9
