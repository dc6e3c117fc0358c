"""C11 measured, from the page that compares maps with boxes to the page that judges claims.

The numbers lie in `table_cells.LOCALIZATION_EFFECTS` of the study's folder, with
`verdicts.EFFECT_COLUMNS`; a JSON file beside it says which run they are of, how the maps were made,
and the hash of the table. A table whose hash is another one, or whose run is not among the study's,
is refused: effects of another network are not this study's.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chestkd import workspace
from chestkd.evaluation.localization_tables import resampled_means
from chestkd.findings import FINDINGS
from chestkd.paper.claims import claim
from chestkd.paper.comparisons import Key, MapKey
from chestkd.paper.verdicts import EFFECT_COLUMNS, measured_effects
from chestkd.study.table_cells import LOCALIZATION_EFFECTS, stored_effects

CLAIM = "C11"
# The measure of the claim: a map hits a box where its maximum lies in it.
MEASURE = "pointing"


def effects(
    scores: Mapping[str, pd.DataFrame], *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """The effects of C11 from scores on the same regions, by the name of the method.

    `scores` as `localization.score_maps` gives them; other methods may be among them. A finding
    with regions of fewer than `localization_tables.LEAST_PATIENTS` patients has no effect. There
    is none at all, hence no row, where one of the two methods is missing or no resample holds a
    patient of every other finding. Columns: `EFFECT_COLUMNS`.
    """
    subject = claim(CLAIM)
    values: dict[Key, float] = {}
    samples: dict[Key, np.ndarray] = {}
    for method in {key.method for key in subject.keys if isinstance(key, MapKey)} & scores.keys():
        means, drawn = resampled_means(scores[method], MEASURE, resamples=resamples, seed=seed)
        for finding, mean, sample in zip(FINDINGS, means, drawn, strict=True):
            key = MapKey(method, finding)
            if key in subject.keys and not np.isnan(sample).all():
                values[key], samples[key] = float(mean), sample
    if not samples or np.isnan(np.sum(list(samples.values()), axis=0)).all():
        return pd.DataFrame(columns=EFFECT_COLUMNS)
    return measured_effects([subject], values, samples)


def store(folder: Path, effects: pd.DataFrame, run: str, details: Mapping[str, Any]) -> None:
    """Put effects into a study's folder, or, where there are none, take away what lies there.

    `run` is the id of the run whose maps were compared, `details` what else made them, in plain
    values. The hash in the record makes the two files one: a reader takes both or neither.
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

    Raises ValueError where they are of another run, or where table and record differ.
    """
    table, record = _paths(folder)
    if not table.is_file():
        return pd.DataFrame(columns=EFFECT_COLUMNS)
    noted = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    remedy = "execute notebooks/saliency-trust.py again, or delete the file"
    if noted.get("sha256") != _sha256(table.read_text(encoding="utf-8")):
        raise ValueError(f"{table} is not the table that {record.name} describes: {remedy}")
    if noted["run"] not in runs:
        raise ValueError(f"{table} is of run {noted['run']}, which is not this study's: {remedy}")
    return stored_effects(table, CLAIM)


def origin(folder: Path) -> str:
    """A sentence on what the stored effects are of; "" where none are stored."""
    _, record = _paths(folder)
    if not record.is_file():
        return ""
    noted = json.loads(record.read_text(encoding="utf-8"))
    return (
        f"{CLAIM} rests on maps of {noted['network']} (run {noted['run']}) on {noted['regions']} "
        f"marked regions of {noted['patients']} patients: {noted['samples']} samples and "
        f"{noted['steps']} steps."
    )


def _paths(folder: Path) -> tuple[Path, Path]:
    table = folder / LOCALIZATION_EFFECTS
    return table, table.with_suffix(".json")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
