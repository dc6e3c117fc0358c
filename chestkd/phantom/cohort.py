"""Which real patients a phantom borrows its label histories from, and which of their visits."""

from dataclasses import dataclass

import numpy as np

from chestkd.phantom.histories import Histories
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream

# No patient owns more than this share of the images of an official list. In NIH's test list the
# largest owns 0.7 %, but in that of a small phantom a long history would be a sixth, and every
# interval would rest on a handful of patients.
LARGEST_PATIENT = 0.015
# Newton steps in search of the weights of the patients, and when they stop.
_STEPS, _TOLERANCE = 50, 1e-10


@dataclass(frozen=True)
class Cohort:
    """The patients of a phantom, one entry each.

    - `history`: row of the real history that the patient borrows.
    - `first`: its first visit that the patient has.
    - `visits`: how many consecutive ones.
    """

    history: np.ndarray
    first: np.ndarray
    visits: np.ndarray


def draw_cohort(histories: Histories, specification: PhantomSpecification) -> Cohort:
    """Draw patients until they have the number of images asked for.

    The two official lists fill up side by side in the real proportion of images. Of a history
    that is longer than `LARGEST_PATIENT` of its list allows, a random stretch is borrowed; the
    last patient is cut so that the number of images is exact.
    """
    generator = open_stream(specification.seed, Stream.HISTORY)
    share = histories.of_images(histories.test).mean()
    visits = longest_visits(histories, specification.images)
    weights = patient_weights(histories, specification.tempering, visits)
    pools = [np.flatnonzero(~histories.test), np.flatnonzero(histories.test)]
    queues: list[list[int]] = [[], []]
    patients, counts, filled = [], [], [0, 0]
    while sum(filled) < specification.images:
        pool = int(filled[1] < share * (sum(filled) + 1) and sum(filled) > 0)
        if not queues[pool]:
            queues[pool] = generator.choice(pools[pool], 1024, p=weights[pools[pool]]).tolist()
        patient = queues[pool].pop()
        count = min(int(visits[patient]), specification.images - sum(filled))
        patients.append(patient)
        counts.append(count)
        filled[pool] += count
    history, taken = np.array(patients), np.array(counts)
    spare = np.diff(histories.start)[history] - visits[history]
    first = generator.integers(spare + 1)
    order = generator.permutation(len(history))
    return Cohort(history[order], first[order], taken[order])


def longest_visits(histories: Histories, images: int) -> np.ndarray:
    """How many visits of each history a phantom of so many images borrows, (patients,)."""
    share = histories.of_images(histories.test).mean()
    listed = images * np.where(histories.test, share, 1 - share)
    cap = np.maximum(1, (LARGEST_PATIENT * listed).astype(int))
    return np.minimum(np.diff(histories.start), cap)


def patient_weights(histories: Histories, tempering: float, visits: np.ndarray) -> np.ndarray:
    """How often each history is drawn, (patients,), summing to 1 in each official list.

    Tempering multiplies the prevalence of each finding by one factor, the same in both lists, so
    that the ratio between the lists stays the real one. The factors are those that the weights
    of `tempered` give all images together. In each list these weights are then multiplied by
    exp(sum over findings of c * share of the patient's images with it), with the c that give
    every finding its prevalence (calibration weighting by raking, as in survey statistics).

    - `histories`: the real ones.
    - `tempering`: see `PhantomSpecification`.
    - `visits`: (patients,) how many visits of each are borrowed.
    """
    lengths = np.diff(histories.start)
    start, whole = tempered(histories, tempering), expected_positives(histories, lengths)
    real = prevalence(histories, np.ones(len(lengths)), lengths, whole)
    share = histories.of_images(histories.test).mean()
    pooled = np.array([1 - share, share])
    gain = pooled @ prevalence(histories, start, lengths, whole) / (pooled @ real)
    positives = expected_positives(histories, visits)
    weights = np.empty(len(lengths))
    for chosen, target in zip((~histories.test, histories.test), gain * real, strict=True):
        weights[chosen] = _rake(start[chosen], positives[chosen], visits[chosen], target)
    return weights


def _rake(
    weights: np.ndarray, positives: np.ndarray, visits: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Weights near the given ones, summing to 1, under which each finding has its prevalence.

    Solved by Newton's method for the logarithms of the prevalences.
    """
    shares = positives / visits[:, None]
    exponents = np.zeros(len(target))
    for _ in range(_STEPS):
        raked = weights * np.exp(shares @ exponents)
        per_finding, images = raked @ positives, raked @ visits
        error = np.log(target * images / per_finding)
        if np.abs(error).max() < _TOLERANCE:
            break
        gradient = (positives.T * raked) @ shares / per_finding[:, None] - per_finding / images
        step = np.linalg.solve(gradient, error)
        exponents += step / max(1, np.abs(step).max())
    return raked / raked.sum()


def tempered(histories: Histories, tempering: float) -> np.ndarray:
    """Weights (patients,) that favor rare findings, each list apart from the other.

    The weight of an image is (rate of the commonest finding / rate of its rarest finding) **
    tempering, 1 without findings; a patient's weight is the mean over images.
    """
    labels = histories.labels[histories.code]
    rates = labels.mean(axis=0)
    factor = (rates.max() / rates) ** tempering
    image = np.where(labels.any(axis=1), (labels * factor).max(axis=1), 1.0)
    return np.add.reduceat(image, histories.start[:-1]) / np.diff(histories.start)


def prevalence(
    histories: Histories, weights: np.ndarray, visits: np.ndarray, positives: np.ndarray
) -> np.ndarray:
    """Expected prevalence (2, 14) in the train_val and the test list of patients so weighted."""
    lists = [weights * ~histories.test, weights * histories.test]
    return np.stack([odds @ positives / (odds @ visits) for odds in lists])


def expected_positives(histories: Histories, visits: np.ndarray) -> np.ndarray:
    """Images with each finding in a random stretch of `visits` of each history, (patients, 14)."""
    start, lengths = histories.start[:-1], np.diff(histories.start)
    number = np.arange(len(histories.code)) - histories.of_images(start)
    taken, stretches = histories.of_images(visits), histories.of_images(lengths - visits + 1)
    # Stretches that include this visit: none starts before the first or ends after the last.
    including = np.minimum.reduce(
        [number + 1, histories.of_images(lengths) - number, taken, stretches]
    )
    labels = histories.labels[histories.code] * (including / stretches)[:, None]
    return np.add.reduceat(labels, start)
