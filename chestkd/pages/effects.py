"""From measured numbers to the effects that the paper's claims speak of.

An effect compares two runs, or two kinds of saliency map, seed by seed, and is averaged over the
seeds that both have. Its interval reflects what the resamples vary: the patients of the test set,
the same for both sides, and, where there are several seeds, the seeds.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from chestkd.evaluation.intervals import Measured, mean, mean_over_seeds
from chestkd.paper.claims import Claim, Part
from chestkd.paper.comparisons import Comparison
from chestkd.paper.verdicts import EFFECT_COLUMNS, MEAN

# By `comparisons.Name` and seed; what has no seeds has only seed 0.
Numbers = Mapping[Any, Mapping[int, Measured]]


def measured_effects(claims: Iterable[Claim], measured: Numbers) -> pd.DataFrame:
    """Effects of every comparison whose two sides have a seed in common, and each part's mean.

    ``claims``: those that rest on one measure, of which ``measured`` has a number for each name
    and seed, for example the mean AUC of each run. Returns `verdicts.EFFECT_COLUMNS`; ``low`` and
    ``high`` are the 2.5 and 97.5 % percentiles. A comparison that no resample defines, because the
    test set is tiny, is left out. ValueError for claims of several measures or unequal R.
    """
    claims = list(claims)
    measures = sorted({subject.measure for subject in claims})
    if len(measures) > 1:
        raise ValueError(f"claims must rest on one measure, received {measures}")
    shapes = {
        name.label: number.resampled.shape
        for name, seeds in measured.items()
        for number in seeds.values()
    }
    if len(set(shapes.values())) > 1:
        raise ValueError(f"every number needs resamples of one shape (R,), received {shapes}")
    rows = [
        (subject.id, part.name, label, effect.value, effect.estimate.low, effect.estimate.high)
        for subject in claims
        for part in subject.parts
        for label, effect in _part_effects(subject, part, measured)
    ]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def _part_effects(subject: Claim, part: Part, measured: Numbers) -> Iterator[tuple[str, Measured]]:
    effects = {pair.label: _effect(subject, pair, measured) for pair in part.comparisons}
    known = {label: effect for label, effect in effects.items() if effect is not None}
    yield from known.items()
    if known:
        yield MEAN, mean(list(known.values()))


def _effect(subject: Claim, pair: Comparison, measured: Numbers) -> Measured | None:
    one, other = measured.get(pair.one, {}), measured.get(pair.other, {})
    effects = [subject.effect(one[seed], other[seed]) for seed in one if seed in other]
    effect = mean_over_seeds(effects) if effects else None
    return None if effect is None or np.isnan(effect.resampled).all() else effect
