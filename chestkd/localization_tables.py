"""Localisation scores per finding, with intervals over patients."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.evaluation import MEAN, Estimate, Resamples
from chestkd.findings import FINDINGS
from chestkd.localization import MEASURES


def localization_table(
    scores: Mapping[str, pd.DataFrame], *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean of every measure per finding, and over findings, with 95 % intervals over patients.

    ``scores`` maps a title ("CAM", "centre", ...) to the scores of `chestkd.localization`, all on
    the same regions. Columns: ``finding``, ``map``, ``measure``, ``value``, ``low``, ``high``,
    ``regions``, ``patients``, ``note``. A finding without a region has no value, and its note
    says so; the mean over findings leaves it out, and counts every finding alike. All maps are
    resampled alike. Raises ValueError for scores on different regions, and for none at all.
    """
    first = _same_regions(scores)
    drawn = Resamples.draw(first["patient"].to_numpy(), resamples, seed)
    weights = drawn.counts[:, drawn.patient].astype(np.float64)  # (resamples, regions)
    rows = []
    for title, frame in scores.items():
        for measure in MEASURES:
            for finding, estimate in _per_finding(frame, measure, weights).items():
                values = (estimate.value, estimate.low, estimate.high)
                rows.append((finding, title, measure, *values, *_counts(first, finding)))
    columns = ["finding", "map", "measure", "value", "low", "high", "regions", "patients", "note"]
    return pd.DataFrame(rows, columns=columns)


def compare(
    scores: pd.DataFrame,
    reference: pd.DataFrame,
    measure: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Difference of a measure's mean over findings, ``scores`` minus ``reference``.

    Both are scores on the same regions, resampled alike.
    """
    _same_regions({"scores": scores, "reference": reference})
    difference = scores.assign(**{measure: scores[measure] - reference[measure]})
    drawn = Resamples.draw(scores["patient"].to_numpy(), resamples, seed)
    return _per_finding(difference, measure, drawn.counts[:, drawn.patient].astype(float))[MEAN]


def readable_table(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """One row a finding, one column a map: "0.41 (0.38 to 0.45)", or why there is none."""
    chosen = table[table["measure"] == measure]
    texts = [
        f"{value:.2f} ({low:.2f} to {high:.2f})" if value == value else note
        for value, low, high, note in chosen[["value", "low", "high", "note"]].to_numpy()
    ]
    wide = chosen.assign(text=texts).pivot(
        index=["finding", "regions", "patients"], columns="map", values="text"
    )
    wide = wide[list(dict.fromkeys(chosen["map"]))].reset_index()
    order = {name: at for at, name in enumerate((*FINDINGS, MEAN))}
    wide = wide.sort_values("finding", key=lambda names: names.map(order), ignore_index=True)
    note = chosen.loc[chosen["finding"] == MEAN, "note"].iloc[0]
    wide["finding"] = wide["finding"].replace(MEAN, f"{MEAN} {note}".strip())
    return wide.rename_axis(columns=None)


def _same_regions(scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if not scores:
        raise ValueError("no scores to tabulate")
    (title, first), *others = scores.items()
    if not len(first):
        raise ValueError(f"{title}: no region was scored; are there boxes in the test part?")
    keys = ["row", "patient", "finding"]
    for other, frame in others:
        if not first[keys].equals(frame[keys]):
            raise ValueError(f"{title} and {other} were not scored on the same regions")
    return first


def _per_finding(frame: pd.DataFrame, measure: str, weights: np.ndarray) -> dict[str, Estimate]:
    """The estimate of each finding, and of the mean over those that have regions."""
    values = frame[measure].to_numpy(np.float64)
    means, resampled = [], []
    for finding in FINDINGS:
        of = (frame["finding"] == finding).to_numpy()
        total = weights[:, of].sum(axis=1)
        with np.errstate(invalid="ignore"):
            drawn = weights[:, of] @ values[of] / np.where(total > 0, total, np.nan)
        means.append(values[of].mean() if of.any() else np.nan)
        resampled.append(drawn)
    estimates = {
        finding: _estimate(mean, drawn)
        for finding, mean, drawn in zip(FINDINGS, means, resampled, strict=True)
    }
    there = ~np.isnan(means)
    estimates[MEAN] = _estimate(
        float(np.mean(np.array(means)[there])), np.mean(np.array(resampled)[there], axis=0)
    )
    return estimates


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return Estimate(value, np.nan, np.nan)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _counts(scores: pd.DataFrame, finding: str) -> tuple[int, int, str]:
    """Regions, patients, and what there is to note."""
    of = scores if finding == MEAN else scores[scores["finding"] == finding]
    there = of["finding"].nunique()
    note = "" if there == len(FINDINGS) else f"of {there} findings"
    if finding != MEAN:
        note = "" if len(of) else "n/a (0 regions)"
    return len(of), of["patient"].nunique(), note
