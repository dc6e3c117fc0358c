"""What benchmarks too long for a page have recorded, read from where they wrote it."""

from pathlib import Path

import pandas as pd

from chestkd import workspace
from chestkd.data.dataset import PHANTOM_NAME
from chestkd.evaluation.intervals import Estimate

RESULTS = Path("benchmarks", "results")


def learnability(size: int) -> pd.DataFrame | None:
    """What `benchmarks/learnability.py` measured at ``size`` pixels; None where it never ran.

    Columns ``model``, ``finding``, ``auc``, ``low``, ``high``, ``positives``, and how it was
    measured: ``images``, ``train``, ``test``, ``commit``.
    """
    return _read(f"learnability-{size}.csv")


def leak() -> pd.DataFrame | None:
    """What `benchmarks/leak.py` measured, one row a seed and one over all; None: never ran."""
    return _read("leak.csv")


def _read(name: str) -> pd.DataFrame | None:
    path = workspace.resolve(RESULTS / name)
    return pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.is_file() else None


def readable_learnability(measured: pd.DataFrame) -> pd.DataFrame:
    """One row a finding, one column a model: "0.812 (0.790 to 0.833)"; differences left out."""
    models = measured[~measured["model"].str.contains(" minus ")]
    texts = [f"{Estimate(*row):.3f}" for row in models[["auc", "low", "high"]].to_numpy(float)]
    wide = models.assign(text=texts).pivot(index="finding", columns="model", values="text")
    order = models["finding"].drop_duplicates()
    return (
        wide.loc[order, models["model"].drop_duplicates()].rename_axis(columns=None).reset_index()
    )


def differences(measured: pd.DataFrame) -> str:
    """In words: by how much a model is above another, with paired intervals."""
    rows = measured[measured["model"].str.contains(" minus ")]
    return "; ".join(
        f"{model} {Estimate(value, low, high):+.3f}"
        for model, value, low, high in rows[["model", "auc", "low", "high"]].to_numpy()
    )


def source(measured: pd.DataFrame) -> str:
    """Data, training and commit behind a table, as captions give them."""
    first = measured.iloc[0]
    parts = [PHANTOM_NAME, f"{first['images']:,} images"]
    if "train" in measured:
        parts.append(f"{first['train']:,} for training, {first['test']:,} for test")
    else:
        parts.append(f"{first['epochs']} epochs")
    return " · ".join([*parts, f"commit {first['commit']}"])
