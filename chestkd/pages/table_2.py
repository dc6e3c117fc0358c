"""Table 2 of the paper with the measured training times beside the printed ones."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from chestkd.distillation.run_names import RunName
from chestkd.pages.table_1 import title
from chestkd.paper import published
from chestkd.study.table_cells import NOT_PLANNED, Cell, Cells, runs_of
from chestkd.study.training_times import (
    images_per_second,
    procedure_seconds,
    recorded_teaching,
    teaching_run,
    timed_teaching,
)
from chestkd.training.store import Run

_RUN = ("network", "strategy", "taught by")
_TIMES = ("minutes", "images/s", "ratio", "ratio by images/s", "minutes in all", "ratio in all")


def table2(cells: Cells) -> pd.DataFrame:
    """Table 2 run by run: the paper's runs, in its order, then the study's others.

    ``network``: the one that is trained; ``strategy``; ``taught by``; ``paper minutes`` and
    ``paper ratio`` to the same network's base training; ``minutes``, ``ratio`` and ``images/s``
    as measured, means over seeds, without the teacher's own time; ``ratio by images/s``: base over
    taught, NaN with one epoch; ``minutes in all`` and ``ratio in all`` with the teacher's base
    training; ``runs``; ``hardware``; ``note``.
    """
    minutes = published.minutes()
    # Where all runs are alike, `training_times.origins` says it once.
    mixed = len({run.record["dirty"] for run in runs_of(cells)}) > 1
    rows = []
    for name in dict.fromkeys([*minutes, *cells]):
        paper, base = (minutes.get(run, np.nan) for run in (name, RunName("base", name.network)))
        names = {"network": title(name.network), "strategy": name.strategy}
        names |= {"taught by": title(name.teacher)}
        printed = {"paper minutes": paper, "paper ratio": paper / base}
        rows.append(names | printed | _times(name, cells, mixed))
    return pd.DataFrame(rows)


def run_by_run(times: pd.DataFrame) -> pd.DataFrame:
    """The columns of `table2` that compare a run's own minutes with the paper's."""
    columns = ["paper minutes", "minutes", "paper ratio", "ratio", "images/s", "runs", "note"]
    return times[[*_RUN, *columns]]


def whole_procedure(times: pd.DataFrame) -> pd.DataFrame:
    """The taught runs of `table2` with the training of their teachers."""
    columns = ["paper ratio", "ratio by images/s", "minutes in all", "ratio in all", "hardware"]
    return times.loc[(times["taught by"] != "") & (times["runs"] > 0), [*_RUN, *columns]]


def teaching_cost(cells: Cells, resamples: int) -> pd.DataFrame:
    """What it costs that a network teaches itself, in base trainings, from epochs timed in turn.

    ``network``; ``marginal``: a taught run over a base run; ``whole``: with the base run and the
    stored outputs that it needs; both with ``low`` and ``high``, 95 % intervals over the rounds;
    ``rounds``; ``hardware``. Empty where nothing was timed at the study's size.
    """
    recorded, rows = recorded_teaching(), []
    for network, costs in timed_teaching(cells, resamples).items():
        rounds = recorded[recorded["network"] == network]
        row: dict[str, object] = {"network": title(network)}
        for name, cost in zip(("marginal", "whole"), costs, strict=True):
            estimate = cost.estimate
            row |= {
                name: estimate.value,
                f"{name} low": estimate.low,
                f"{name} high": estimate.high,
            }
        rows.append(row | {"rounds": len(rounds), "hardware": rounds["hardware"].iloc[0]})
    return pd.DataFrame(rows)


def _times(name: RunName, cells: Cells, mixed: bool) -> dict:
    cell = cells.get(name)
    if cell is None or not cell.runs:
        note = NOT_PLANNED if cell is None else cell.note
        return {**dict.fromkeys(_TIMES, np.nan), "runs": 0, "hardware": "", "note": note}
    bases = cells[RunName("base", name.network, split=name.split)].runs
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
