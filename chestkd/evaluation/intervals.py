"""Numbers with 95 % intervals, taken from the same numbers under resamples."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np


def effective_patients(patients: np.ndarray) -> float:
    """How many patients with equally many images N images of ``patients`` (N,) are worth.

    Kish's effective sample size (sum n)^2 / sum n^2, where n are the images of each patient.
    """
    _, images = np.unique(patients, return_counts=True)
    return float(images.sum() ** 2 / (images**2).sum())


@dataclass(frozen=True)
class Estimate:
    """A value with the limits of its 95 % interval, which are NaN where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: np.ndarray) -> "Estimate":
        """With the 2.5 and 97.5 % percentiles of ``resampled`` (R,), whose NaNs are left out."""
        defined = resampled[~np.isnan(resampled)]
        limits = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
        return cls(float(value), *map(float, limits))

    def __format__(self, specification: str) -> str:
        """``f"{estimate:.3f}"`` is "0.745 (0.724 to 0.771)", or "0.745 (n/a)" without limits."""
        value, low, high = (format(number, specification) for number in astuple(self))
        return f"{value} ({low} to {high})" if self.low == self.low else f"{value} (n/a)"

    def __rmul__(self, factor: float) -> "Estimate":
        """The same in another unit: ``100 * difference`` is in points; the factor is positive."""
        return Estimate(*(factor * number for number in astuple(self)))


@dataclass(frozen=True, eq=False)
class Measured:
    """A number, and the same number under R resamples; two are combined resample by resample."""

    value: float
    #: (R,), NaN where a resample leaves it undefined; entry r is the same resample for all numbers.
    resampled: np.ndarray

    def __post_init__(self) -> None:
        if self.resampled.ndim != 1:
            raise ValueError(f"resampled must have shape (R,), not {self.resampled.shape}")

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(self.value + other.value, self.resampled + other.resampled)

    def __sub__(self, other: "Measured") -> "Measured":
        return Measured(self.value - other.value, self.resampled - other.resampled)

    def __truediv__(self, other: "Measured") -> "Measured":
        return Measured(self.value / other.value, self.resampled / other.resampled)

    @property
    def estimate(self) -> Estimate:
        """The number with its 95 % interval."""
        return Estimate.of(self.value, self.resampled)

    @property
    def undefined(self) -> float:
        """The share of the resamples that leave the number undefined, 0 to 1."""
        return float(np.isnan(self.resampled).mean())


def mean(numbers: Sequence[Measured]) -> Measured:
    """Mean of several numbers.

    In a resample that leaves some of them undefined, the mean differs from its value by as much as
    the others do on average. Averaging the others alone would compare means over different sets,
    and leaving the resample out would keep only those that drew the rare patients. A resample that
    defines none is NaN.
    """
    value = float(np.mean([number.value for number in numbers]))
    changes = np.ma.masked_invalid([number.resampled - number.value for number in numbers])
    return Measured(value, value + changes.mean(axis=0).filled(np.nan))


def mean_over_seeds(numbers: Sequence[Measured]) -> Measured:
    """Mean of one number of S runs that differ in their seed, the seeds resampled, too.

    A plain bootstrap of S values underestimates the variance of their mean by (S - 1) / S, so
    deviations from the mean are scaled by sqrt(S / (S - 1)).
    """
    count, resamples = len(numbers), len(numbers[0].resampled)
    if count == 1:
        return numbers[0]
    stacked = np.stack([number.resampled for number in numbers], axis=1)  # (R, S)
    # The same draw for every comparison of as many seeds: what two of them share stays shared.
    generator = np.random.default_rng([0, count])
    shares = generator.multinomial(count, np.full(count, 1 / count), resamples) / count
    weights = 1 / count + np.sqrt(count / (count - 1)) * (shares - 1 / count)
    return Measured(mean(numbers).value, (weights * stacked).sum(axis=1))
