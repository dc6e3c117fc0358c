"""What training cost, from the records of runs: seconds, images a second, on which hardware.

A record's seconds are those of its own epochs; the first includes building the graph. They leave
out validation and, for a taught run, its teacher's training and the pass that stores the teacher's
outputs. Times of two runs are compared on the same hardware only.

Runs of a sweep may have shared their machine with other work. Where `benchmarks/teaching.py` has
timed base and taught epochs of a network again and again, in turn, those ratios are used instead.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from chestkd import workspace
from chestkd.distillation.run_names import RunName
from chestkd.evaluation.intervals import Measured
from chestkd.study.table_cells import Cells
from chestkd.training.store import Run

TIMED = Path("benchmarks", "results", "teaching.csv")


def images_per_second(run: Run) -> float:
    """Median over the epochs but the first; NaN where there was only one."""
    speed = run.record["images_per_second"]
    return float("nan") if speed is None else float(speed)


def teaching_run(run: Run, cells: Cells, seed: int) -> Run | None:
    """The base run whose outputs taught ``run``; None where the study does not have it."""
    teaching = run.specification.teaching
    if teaching is None:
        return None
    cell = cells.get(RunName("base", teaching.network))
    return None if cell is None else cell.runs.get(seed)


def procedure_seconds(run: Run, teacher: Run | None) -> float:
    """Seconds of a run and of as much of its teacher's training as it needs.

    Of a defective teacher that is only the first epochs.
    """
    seconds = run.record["training_seconds"]
    if teacher is None:
        return seconds
    epochs = teacher.history()["seconds"]
    teaching = run.specification.teaching
    if teaching is not None and teaching.defective:
        epochs = epochs.iloc[: teacher.specification.recipe.defective_epoch]
    return seconds + float(epochs.sum())


def training_times(cells: Cells, resamples: int) -> dict[RunName, dict[int, Measured]]:
    """Cost of base training and of self-training, the base run that teaches included: C10.

    In base trainings where epochs were timed in turn (`timed_teaching`), else in seconds of the
    runs. A resample draws the rounds of the former; of the latter it keeps a run's first epoch and
    draws its later ones, so that the interval reflects how much epochs differ. Runs of fewer than
    three epochs are left out then, and so is self-training on other hardware than its base run.
    """
    generator = np.random.default_rng(0)
    timed = timed_teaching(cells, resamples)
    measured: dict[RunName, dict[int, Measured]] = {}
    for base in [name for name in cells if name.strategy == "base" and not name.split]:
        taught = replace(base, strategy="self-training", teacher=base.network)
        if base.network in timed:
            _, whole = timed[base.network]
            measured[base] = {0: Measured(1.0, np.ones(resamples))}
            measured[taught] = {0: whole}
            continue
        for seed, run in cells[base].runs.items():
            alone = _resampled_seconds(run, resamples, generator)
            if alone is None:
                continue
            measured.setdefault(base, {})[seed] = alone
            second = cells[taught].runs.get(seed) if taught in cells else None
            if second is None or second.hardware != run.hardware:
                continue
            extra = _resampled_seconds(second, resamples, generator)
            if extra is not None:
                measured.setdefault(taught, {})[seed] = alone + extra
    return measured


def recorded_teaching() -> pd.DataFrame:
    """The rounds of `benchmarks/teaching.py --record` of networks that teach themselves.

    One row a round: ``network``; ``size`` in pixels; ``base`` and ``taught``, seconds of an epoch;
    ``storing``, seconds in which the teacher's outputs for its images are stored; ``hardware`` and
    more. Empty where nothing was recorded.
    """
    path = workspace.resolve(TIMED)
    if not path.is_file():
        return pd.DataFrame(columns=["network", "teacher", "size"])
    rounds = pd.read_csv(path)
    return rounds[rounds["network"] == rounds["teacher"]]


def timed_teaching(cells: Cells, resamples: int) -> dict[str, tuple[Measured, Measured]]:
    """Marginal and whole cost of self-training in base trainings, by network, from timed rounds.

    Marginal: an epoch with stored outputs over one without. Whole: base run, stored outputs and
    taught run. Networks with a finished base run at the size of the rounds; medians over rounds.
    """
    rounds = recorded_teaching()
    generator = np.random.default_rng(0)
    timed = {}
    for name, cell in cells.items():
        if name.strategy != "base" or name.split or not cell.runs:
            continue
        made = next(iter(cell.runs.values())).specification
        own = rounds[(rounds["network"] == name.network) & (rounds["size"] == made.size)]
        if own.empty:
            continue
        ratios = (own["taught"] / own["base"]).to_numpy()
        epochs = (own["storing"] / own["base"]).to_numpy()
        drawn = generator.integers(0, len(own), (resamples, len(own)))
        marginal = Measured(float(np.median(ratios)), np.median(ratios[drawn], axis=1))
        storing = Measured(float(np.median(epochs)), np.median(epochs[drawn], axis=1))
        length = Measured(float(made.recipe.epochs), np.full(resamples, made.recipe.epochs, float))
        alone = Measured(1.0, np.ones(resamples))
        timed[name.network] = (marginal, alone + marginal + storing / length)
    return timed


def _resampled_seconds(run: Run, resamples: int, generator: np.random.Generator) -> Measured | None:
    first, *later = run.history()["seconds"]
    if len(later) < 2:
        return None
    drawn = generator.choice(later, (resamples, len(later))).sum(axis=1)
    return Measured(first + sum(later), first + drawn)


def origins(runs: Iterable[Run]) -> list[str]:
    """Sentences on what made the runs: the hardware, and the state of the code."""
    runs = list(runs)
    if not runs:
        return ["No run was made."]
    records, used = [run.record for run in runs], Counter(run.hardware for run in runs)
    lines = [f"{used[name]} of {len(runs)} runs: {name}." for name in sorted(used)]
    dirty = sum(bool(record["dirty"]) for record in records)
    commits = sorted({str(record["commit"])[:8] for record in records})
    lines.append(f"Commits of the code: {', '.join(commits)}.")
    if dirty:
        lines.append(f"{dirty} of {len(records)} runs: made with changes that were not committed.")
    return lines
