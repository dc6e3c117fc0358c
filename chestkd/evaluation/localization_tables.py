"""Localization scores per finding, with intervals over patients."""

from collections.abc import Mapping
from dataclasses import astuple

import numpy as np
import pandas as pd

from chestkd.evaluation.auc import FEW_MARK, FEW_PATIENTS, MEAN
from chestkd.evaluation.intervals import Estimate, Measured, effective_patients, mean
from chestkd.evaluation.localization import MEASURES
from chestkd.evaluation.resamples import Resamples
from chestkd.findings import FINDINGS

# Patients that a finding needs for an interval, and to count in the mean over findings.
LEAST_PATIENTS = 5
_COUNTS = ["regions", "patients", "effective patients"]


def localization_table(
    scores: Mapping[str, pd.DataFrame], *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Mean of every measure per finding, and over findings, with 95 % intervals over patients.

    ``scores`` maps a title ("CAM", "center", ...) to the scores of
    `chestkd.evaluation.localization`, all on the same regions. Columns: ``finding``, ``map``,
    ``measure``, ``value``, ``low``, ``high``, ``regions``, ``patients``, ``effective patients``
    by their regions, ``note``. A finding without a region has no value, and its note says so. One
    with regions of fewer than `LEAST_PATIENTS` patients has a value without limits, because
    resamples of one patient show no spread; one of fewer than `FEW_PATIENTS` is marked. The mean
    over findings leaves out those without limits, and weights the others equally. All maps are
    resampled alike. Raises ValueError for scores on different regions, or for none.
    """
    first = _same_regions(scores)
    weights = Resamples.draw(first["patient"].to_numpy(), resamples, seed).weights
    rows = [
        (finding, title, measure, *astuple(estimate), *_counts(first, finding))
        for title, frame in scores.items()
        for measure in MEASURES
        for finding, estimate in _estimates(_means(frame, measure, weights)).items()
    ]
    columns = ["finding", "map", "measure", "value", "low", "high", *_COUNTS, "note"]
    return pd.DataFrame(rows, columns=columns)


def localization_difference(
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
    means = measured_means(difference, measure, resamples=resamples, seed=seed)
    return _estimates(means)[MEAN]


def readable_table(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """One row a finding, one column a map: "0.41 (0.38 to 0.45)", or why there is none.

    `FEW_MARK` follows the name of a finding of fewer than `FEW_PATIENTS` patients.
    """
    chosen = table[table["measure"] == measure]
    texts = [
        f"{Estimate(value, low, high):.2f}" if value == value else note or "n/a"
        for value, low, high, note in chosen[["value", "low", "high", "note"]].to_numpy()
    ]
    wide = chosen.assign(text=texts).pivot(
        index=["finding", *_COUNTS], columns="map", values="text"
    )
    wide = wide[list(dict.fromkeys(chosen["map"]))].reset_index()
    order = {name: position for position, name in enumerate((*FINDINGS, MEAN))}
    wide = wide.sort_values("finding", key=lambda names: names.map(order), ignore_index=True)
    note = chosen.loc[chosen["finding"] == MEAN, "note"].iloc[0]
    few = (wide["regions"] > 0) & (wide["patients"] < FEW_PATIENTS) & (wide["finding"] != MEAN)
    wide["finding"] += np.where(few, f" {FEW_MARK}", "")
    wide["finding"] = wide["finding"].replace(MEAN, f"{MEAN} {note}".strip())
    return wide.rename_axis(columns=None)


def measured_means(
    scores: pd.DataFrame, measure: str, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Measured]:
    """Mean of a measure for each of the 14 findings, and under resamples of the patients.

    NaN for a finding without a region, and in a resample without one of its patients; all its
    resamples are NaN where it has fewer than `LEAST_PATIENTS`. Scores on the same regions are
    resampled alike.
    """
    weights = Resamples.draw(scores["patient"].to_numpy(), resamples, seed).weights
    return _means(scores, measure, weights)


def _means(scores: pd.DataFrame, measure: str, weights: np.ndarray) -> dict[str, Measured]:
    """The same with the weights (resamples, regions)."""
    means = {}
    for finding in FINDINGS:
        chosen = (scores["finding"] == finding).to_numpy()
        values = scores.loc[chosen, measure].to_numpy(np.float64)
        enough = scores.loc[chosen, "patient"].nunique() >= LEAST_PATIENTS
        total = weights[:, chosen].sum(axis=1) * enough
        resampled = weights[:, chosen] @ values / np.where(total > 0, total, np.nan)
        means[finding] = Measured(float(values.mean()) if len(values) else np.nan, resampled)
    return means


def _estimates(means: Mapping[str, Measured]) -> dict[str, Estimate]:
    """The estimate of each finding, and of the mean over those that have enough patients."""
    enough = [measured for measured in means.values() if not np.isnan(measured.resampled).all()]
    overall = mean(enough).estimate if enough else Estimate(np.nan, np.nan, np.nan)
    return {finding: measured.estimate for finding, measured in means.items()} | {MEAN: overall}


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


def _counts(scores: pd.DataFrame, finding: str) -> tuple[int, int, float, str]:
    """Regions, patients, what these are worth, and what there is to note."""
    groups = scores.groupby("finding", observed=True)["patient"]
    patients_of = {name: own.to_numpy() for name, own in groups}
    if finding == MEAN:
        enough = [own for own in patients_of.values() if len(np.unique(own)) >= LEAST_PATIENTS]
        count = f"of {len(enough)} finding{'s' * (len(enough) != 1)}"
        note = "" if len(enough) == len(FINDINGS) else count
    else:
        enough = [patients_of[finding]] if finding in patients_of else []
        note = _note(len(np.unique(patients_of.get(finding, []))))
    patients = np.concatenate(enough or [np.array([], int)])
    worth = round(effective_patients(patients), 1) if enough else 0.0
    return len(patients), len(np.unique(patients)), worth, note


def _note(patients: int) -> str:
    if not patients:
        return "n/a (0 regions)"
    named = f"{patients} patient{'s' * (patients > 1)}"
    if patients < LEAST_PATIENTS:
        return f"no interval ({named})"
    return f"{FEW_MARK} {named}" if patients < FEW_PATIENTS else ""
