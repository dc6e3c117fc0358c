"""The statistics in which a phantom is compared with ChestX-ray14, and their intervals.

Every statistic is a function of sums over patients, so that a bootstrap over patients
costs one product of matrices.
"""

import numpy as np
import pandas as pd

from chestkd.findings import FINDINGS, decode, encode
from chestkd.phantom.labels import Plan

# The pairs of findings whose co-occurrence is reported.
PAIRS = (
    ("Edema", "Pneumonia"),
    ("Emphysema", "Pneumothorax"),
    ("Fibrosis", "Pleural_Thickening"),
    ("Cardiomegaly", "Effusion"),
    ("Mass", "Nodule"),
    ("Atelectasis", "Consolidation"),
    ("Atelectasis", "Effusion"),
    ("Effusion", "Infiltration"),
)


def plan_table(plan: Plan) -> pd.DataFrame:
    """The recorded labels of a plan as `benchmarks/phantom_tables.py` gives the real ones."""
    return pd.DataFrame(
        {
            "patient": plan.patient,
            "age": plan.age,
            "female": plan.female,
            "view": plan.view,
            "labels": [decode(labels) for labels in plan.recorded],
            "test": plan.test,
        }
    )


def patient_sums(table: pd.DataFrame) -> pd.DataFrame:
    """Counts per patient from which `statistics` computes everything.

    `table` has one row per image, a patient's images in order, with the columns of
    `benchmarks/phantom_tables.py`.
    """
    codes = {labels: encode(labels) for labels in table["labels"].unique()}
    labels = np.stack([codes[one] for one in table["labels"]]).astype(float)
    ap = (table["view"] == "AP").to_numpy(float)
    patient = table["patient"].to_numpy()
    again = np.zeros(len(table), bool)
    again[:-1] = patient[1:] == patient[:-1]
    following = np.vstack([labels[1:], np.zeros((1, len(FINDINGS)))])
    test = table["test"].to_numpy(float)
    columns = {
        "images": np.ones(len(table)),
        "AP": ap,
        "age": table["age"].to_numpy(float),
        "women's images": table["female"].to_numpy(float),
        "test images": test,
        "test AP": test * ap,
        "labels": labels.sum(axis=1),
        "none": (labels.sum(axis=1) == 0).astype(float),
    }
    for index, name in enumerate(FINDINGS):
        columns[name] = labels[:, index]
        columns[f"AP {name}"] = ap * labels[:, index]
        columns[f"followed {name}"] = again * labels[:, index]
        columns[f"kept {name}"] = again * labels[:, index] * following[:, index]
    for one, other in PAIRS:
        both = labels[:, FINDINGS.index(one)] * labels[:, FINDINGS.index(other)]
        columns[f"{one} and {other}"] = both
    sums = pd.DataFrame(columns).groupby(patient).sum()
    sums["patients"] = 1.0
    sums["single"] = (sums["images"] == 1).astype(float)
    sums["frequent"] = (sums["images"] >= 10).astype(float)
    sums["images of frequent"] = sums["frequent"] * sums["images"]
    sums["test patients"] = (sums["test images"] > 0).astype(float)
    return sums


def statistics(sums: pd.DataFrame) -> pd.DataFrame:
    """Statistics, one per column, of summed counts, one row per data set or resample."""
    images = sums["images"]
    values = {
        "images per patient": images / sums["patients"],
        "patients with one image": sums["single"] / sums["patients"],
        "patients with 10 images or more": sums["frequent"] / sums["patients"],
        "images of those": sums["images of frequent"] / images,
        "share of AP views": sums["AP"] / images,
        "mean age": sums["age"] / images,
        "share of women's images": sums["women's images"] / images,
        "share of test images": sums["test images"] / images,
        "share of AP views, test": sums["test AP"] / sums["test images"],
        "images per patient, test": sums["test images"] / sums["test patients"],
        "labels per image": sums["labels"] / images,
        "prevalence No Finding": sums["none"] / images,
    }
    for name in FINDINGS:
        values[f"prevalence {name}"] = sums[name] / images
    for name in FINDINGS:
        values[f"AP share {name}"] = sums[f"AP {name}"] / sums[name]
    for name in FINDINGS:
        values[f"persistence {name}"] = sums[f"kept {name}"] / sums[f"followed {name}"]
    for one, other in PAIRS:
        both = sums[f"{one} and {other}"]
        values[f"lift {one}-{other}"] = both * images / (sums[one] * sums[other])
    return pd.DataFrame(values)


def with_intervals(
    table: pd.DataFrame, generator: np.random.Generator, resamples: int = 200
) -> pd.DataFrame:
    """Every statistic of a table with its standard error and 95 % interval.

    Patients are resampled with replacement, since the images of one are not independent.

    Returns columns value, error, low, high; one row per statistic.
    """
    sums = patient_sums(table)
    values = statistics(sums.sum().to_frame().T).iloc[0]
    count = len(sums)
    weights = np.stack(
        [
            np.bincount(generator.integers(count, size=count), minlength=count)
            for _ in range(resamples)
        ]
    )
    resampled = pd.DataFrame(weights @ sums.to_numpy(), columns=sums.columns)
    # A resample of a small phantom may contain none of a rare finding.
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = statistics(resampled).replace([np.inf, -np.inf], np.nan)
    return pd.DataFrame(
        {
            "value": values,
            "error": spread.std(),
            "low": spread.quantile(0.025),
            "high": spread.quantile(0.975),
        }
    )


def visit_counts(table: pd.DataFrame) -> pd.Series:
    """Patients by number of images: index 1, 2, ..."""
    return table.groupby("patient").size().value_counts().sort_index()
