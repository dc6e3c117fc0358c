"""Localization scores per finding, with intervals over patients."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.evaluation.auc import MEAN, Estimate, Resamples
from chestkd.evaluation.localization import MEASURES
from chestkd.findings import FINDINGS

# Patients that a finding needs for an interval, and to count in the mean over findings.
LEAST_PATIENTS = 5


def localization_table(
    scores: Mapping[str, pd.DataFrame], *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean of every measure per finding, and over findings, with 95 % intervals over patients.

    ``scores`` maps a title ("CAM", "center", ...) to the scores of
    `chestkd.evaluation.localization`, all on the same regions. Columns: ``finding``, ``map``,
    ``measure``, ``value``, ``low``, ``high``, ``regions``, ``patients``, ``note``. A finding
    without a region has no value, and its note says so. One with regions of fewer than
    `LEAST_PATIENTS` patients has a value without limits, because resamples of one patient show no
    spread. The mean over findings leaves both out, and counts every other finding alike. All maps
    are resampled alike. Raises ValueError for scores on different regions, and for none at all.
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
    texts = [_text(*row) for row in chosen[["value", "low", "high", "note"]].to_numpy()]
    wide = chosen.assign(text=texts).pivot(
        index=["finding", "regions", "patients"], columns="map", values="text"
    )
    wide = wide[list(dict.fromkeys(chosen["map"]))].reset_index()
    order = {name: at for at, name in enumerate((*FINDINGS, MEAN))}
    wide = wide.sort_values("finding", key=lambda names: names.map(order), ignore_index=True)
    note = chosen.loc[chosen["finding"] == MEAN, "note"].iloc[0]
    wide["finding"] = wide["finding"].replace(MEAN, f"{MEAN} {note}".strip())
    return wide.rename_axis(columns=None)


def _text(value: float, low: float, high: float, note: str) -> str:
    if value != value:
        return note or "n/a"
    return f"{value:.2f}" + (f" ({low:.2f} to {high:.2f})" if low == low else " (n/a)")


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


def resampled_means(
    frame: pd.DataFrame, measure: str, *, resamples: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a measure per finding, (14,), and under resamples of the patients, (14, resamples).

    NaN for a finding without a region, and in a resample without one of its patients; all its
    resamples are NaN where it has fewer than `LEAST_PATIENTS`. Frames on the same regions are
    resampled alike.
    """
    drawn = Resamples.draw(frame["patient"].to_numpy(), resamples, seed)
    return _means(frame, measure, drawn.counts[:, drawn.patient].astype(np.float64))


def _means(frame: pd.DataFrame, measure: str, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (14,), and (14, resamples) with the weights (resamples, regions)."""
    values = frame[measure].to_numpy(np.float64)
    means, resampled = [], []
    for finding in FINDINGS:
        of = (frame["finding"] == finding).to_numpy()
        enough = frame.loc[of, "patient"].nunique() >= LEAST_PATIENTS
        total = weights[:, of].sum(axis=1) * enough
        drawn = weights[:, of] @ values[of] / np.where(total > 0, total, np.nan)
        means.append(values[of].mean() if of.any() else np.nan)
        resampled.append(drawn)
    return np.array(means), np.array(resampled)


def _per_finding(frame: pd.DataFrame, measure: str, weights: np.ndarray) -> dict[str, Estimate]:
    """The estimate of each finding, and of the mean over those that have enough patients."""
    means, resampled = _means(frame, measure, weights)
    estimates = {
        finding: _estimate(mean, drawn)
        for finding, mean, drawn in zip(FINDINGS, means, resampled, strict=True)
    }
    enough = ~np.isnan(resampled).all(axis=1)
    mean = means[enough].mean() if enough.any() else np.nan
    estimates[MEAN] = _estimate(
        float(mean), resampled[enough].mean(axis=0) if enough.any() else resampled[0]
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
    if finding != MEAN:
        of = scores[scores["finding"] == finding]
        patients = of["patient"].nunique()
        note = "n/a (0 regions)" if not len(of) else ""
        if 0 < patients < LEAST_PATIENTS:
            note = f"no interval ({patients} patient{'s' * (patients > 1)})"
        return len(of), patients, note
    per_finding = scores.groupby("finding", observed=True)["patient"].nunique()
    enough = per_finding.index[per_finding >= LEAST_PATIENTS]
    of = scores[scores["finding"].isin(enough)]
    plural = "" if len(enough) == 1 else "s"
    note = "" if len(enough) == len(FINDINGS) else f"of {len(enough)} finding{plural}"
    return len(of), of["patient"].nunique(), note
