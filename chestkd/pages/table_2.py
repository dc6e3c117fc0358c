"""Table 2 of the paper with the measured training times beside the printed ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.pages.table_1 import title
from chestkd.paper import published
from chestkd.paper.comparisons import RunKey
from chestkd.study.table_cells import NOT_PLANNED, Cell, Cells
from chestkd.study.training_times import images_per_second, procedure_seconds, teaching_run
from chestkd.training.store import Run

_TIMES = ("minutes", "images/s", "ratio", "ratio by images/s", "minutes in all", "ratio in all")


def table2(cells: Cells) -> pd.DataFrame:
    """Table 2 run by run: the paper's, in its order, then the study's others.

    ``network``: the one that is trained; ``strategy``; ``taught by``; ``paper minutes`` and
    ``paper ratio`` to the same network's base training; ``minutes``, ``ratio`` and ``images/s``
    measured, means over seeds, the teacher's own time left out; ``ratio by images/s``: base over
    taught, NaN with one epoch; ``minutes in all`` and ``ratio in all`` with the teacher's base
    training; ``runs``; ``hardware``; ``note``.
    """
    printed = published.table2().dropna(subset="minutes")
    minutes = {
        RunKey(*key): value
        for *key, value in printed[[*published.RUN_KEY, "minutes"]].itertuples(
            index=False, name=None
        )
    }
    # Where all runs are alike, `training_times.origins` says it once.
    mixed = len({run.record["dirty"] for cell in cells.values() for run in cell.runs.values()}) > 1
    rows = []
    for key in dict.fromkeys([*minutes, *cells]):
        paper, base = minutes.get(key, np.nan), minutes.get(RunKey("base", key.network), np.nan)
        row = {"network": title(key.network), "strategy": key.strategy}
        row |= {"taught by": title(key.teacher)}
        row |= {"paper minutes": paper, "paper ratio": paper / base}
        rows.append(row | _times(key, cells, mixed))
    return pd.DataFrame(rows)


def _times(key: RunKey, cells: Cells, mixed: bool) -> dict:
    cell = cells.get(key)
    if cell is None or not cell.runs:
        note = NOT_PLANNED if cell is None else cell.note
        return {**dict.fromkeys(_TIMES, np.nan), "runs": 0, "hardware": "", "note": note}
    bases = cells[RunKey("base", key.network, split=key.split)].runs
    times = pd.DataFrame(
        [_time(run, bases.get(seed), cells, seed) for seed, run in cell.runs.items()]
    )
    return {
        **times.mean().to_dict(),
        "runs": len(cell.runs),
        "hardware": "; ".join(sorted({run.hardware for run in cell.runs.values()})),
        "note": "; ".join(filter(None, [cell.note, *_notes(cell, bases, mixed)])),
    }


def _time(run: Run, base: Run | None, cells: Cells, seed: int) -> dict[str, float]:
    minutes, speed = run.record["training_seconds"] / 60, images_per_second(run)
    teacher = teaching_run(run, cells, seed)
    whole = procedure_seconds(run, teacher) / 60
    if run.specification.teaching is not None and not _same_hardware(run, teacher):
        whole = np.nan
    comparable = _same_hardware(run, base)
    alone = base.record["training_seconds"] / 60 if base is not None and comparable else np.nan
    pace = images_per_second(base) if base is not None and comparable else np.nan
    values = (minutes, speed, minutes / alone, pace / speed, whole, whole / alone)
    return dict(zip(_TIMES, values, strict=True))


def _same_hardware(run: Run, other: Run | None) -> bool:
    return other is not None and run.hardware == other.hardware


def _notes(cell: Cell, bases: Mapping[int, Run], mixed: bool) -> list[str]:
    notes = []
    runs = cell.runs.values()
    if any(len(run.history()) == 1 for run in runs):
        notes.append("one epoch, most of it start-up")
    if any(not _same_hardware(run, bases.get(seed)) for seed, run in cell.runs.items()):
        notes.append("no base run of this seed and hardware")
    if mixed and any(run.record["dirty"] for run in runs):
        notes.append("uncommitted code")
    return notes
