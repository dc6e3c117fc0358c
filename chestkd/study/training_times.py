"""What training cost, from the records of runs: seconds, images a second, on which hardware.

A record's seconds are those of its own epochs; the first includes building the graph. They leave
out validation and, for a taught run, its teacher's training and the pass that stores the teacher's
outputs. Times of two runs are compared on the same hardware only.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from chestkd.distillation.run_names import RunName
from chestkd.evaluation.intervals import Measured
from chestkd.study.table_cells import Cells
from chestkd.training.store import Run


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
    """Seconds of base training and of self-training, the base run that teaches included: C10.

    A resample keeps a run's first epoch and draws its later ones with replacement, so the interval
    reflects how much epochs differ. Runs of fewer than three epochs are left out, and so is
    self-training on other hardware than its base run.
    """
    generator = np.random.default_rng(0)
    measured: dict[RunName, dict[int, Measured]] = {}
    for base in [name for name in cells if name.strategy == "base"]:
        taught = replace(base, strategy="self-training", teacher=base.network)
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
