"""Numbers with intervals, worked out by hand."""

import numpy as np
import pytest

from chestkd.evaluation.intervals import Estimate, Measured, mean, mean_over_seeds


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
