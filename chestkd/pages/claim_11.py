"""C11 measured, from the page that compares maps with boxes to the page that judges claims.

The numbers are in `LOCALIZATION_EFFECTS` in the study's folder, with `verdicts.EFFECT_COLUMNS`; a
JSON file beside it says from which run they are, how the maps were made, and the hash of the table.
A table with a different hash, or from a run that is not the study's, is refused.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestkd import workspace
from chestkd.evaluation.intervals import Measured
from chestkd.evaluation.localization_tables import measured_means
from chestkd.pages.effects import measured_effects
from chestkd.paper.claims import claim
from chestkd.paper.comparisons import MapName, Name
from chestkd.paper.verdicts import EFFECT_COLUMNS

LOCALIZATION_EFFECTS = "localization-effects.csv"
FILES = (LOCALIZATION_EFFECTS, "localization-effects.json")
CLAIM = "C11"
# The measure of the claim: a map hits a box if its maximum lies in it.
MEASURE = "pointing"


def map_effects(
    scores: Mapping[str, pd.DataFrame], *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """The effects of C11 from scores on the same regions, by the name of the method.

    `scores` as `localization.score_maps` returns them; other methods may be among them. A finding
    with regions of fewer than `localization_tables.LEAST_PATIENTS` patients has no effect. There
    are no effects at all where one of the two methods is missing. Columns: `EFFECT_COLUMNS`.
    """
    subject = claim(CLAIM)
    measured: dict[Name, dict[int, Measured]] = {}
    for method in {name.method for name in subject.names if isinstance(name, MapName)} & set(
        scores
    ):
        means = measured_means(scores[method], MEASURE, resamples=resamples, seed=seed)
        for finding, number in means.items():
            name = MapName(method, finding)
            if name in subject.names and not np.isnan(number.resampled).all():
                measured[name] = {0: number}
    return measured_effects([subject], measured)


def store(folder: Path, effects: pd.DataFrame, run: str, details: Mapping[str, Any]) -> None:
    """Write effects to a study's folder or, where there are none, remove what is stored there.

    `run` is the id of the run whose maps were compared, `details` are the settings behind the maps,
    in plain values. The hash in the record ties the two files together.
    """
    table, record = _paths(folder)
    record.unlink(missing_ok=True)
    if not len(effects):
        table.unlink(missing_ok=True)
        return
    text = effects.to_csv(index=False)
    workspace.write_atomically(table, text)
    workspace.write_json(
        record,
        {
            "claim": CLAIM,
            "measure": MEASURE,
            "run": run,
            **details,
            "sha256": _sha256(text),
            "code": workspace.commit(),
            "packages": workspace.packages(),
        },
    )


def read(folder: Path, runs: Collection[str]) -> pd.DataFrame:
    """The stored effects of a study whose runs are `runs`; no rows where none are stored.

    Raises ValueError where they are of another run or claim, or where table and record differ.
    """
    table, record = _paths(folder)
    if not table.is_file():
        return pd.DataFrame(columns=EFFECT_COLUMNS)
    noted = _noted(record)
    remedy = "execute notebooks/saliency-trust.py again, or delete the file"
    if noted.get("sha256") != _sha256(table.read_text(encoding="utf-8")):
        raise ValueError(f"{table} is not the table that {record.name} describes: {remedy}")
    if noted["run"] not in runs:
        raise ValueError(f"{table} is of run {noted['run']}, which is not this study's: {remedy}")
    effects = pd.read_csv(table)
    if list(effects) != EFFECT_COLUMNS or set(effects["claim"]) - {CLAIM}:
        raise ValueError(
            f"{table}: expected the columns {EFFECT_COLUMNS} and claim {CLAIM} only, received "
            f"{list(effects)} and {sorted(set(effects.get('claim', [])))}"
        )
    return effects


def origin(folder: Path) -> str:
    """A sentence on where the stored effects come from; "" where none are stored."""
    noted = _noted(_paths(folder)[1])
    if not noted:
        return ""
    return (
        f"{CLAIM} rests on maps of {noted['network']} (run {noted['run']}) on {noted['regions']} "
        f"marked regions of {noted['patients']} patients, {noted['samples']} noisy copies each. "
        f"{noted['integration']}"
    )


def _paths(folder: Path) -> tuple[Path, Path]:
    table, record = FILES
    return folder / table, folder / record


def _noted(record: Path) -> dict[str, Any]:
    return json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
