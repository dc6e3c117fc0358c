"""What `python -m chestkd plan` prints before anything is trained."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tqdm

from chestkd import workspace
from chestkd.data import decode
from chestkd.data.dataset import PHANTOM_NAME, Dataset
from chestkd.data.prepare import folder_of
from chestkd.data.splits import PARTS, split
from chestkd.phantom.specification import PhantomSpecification
from chestkd.study import cost
from chestkd.study.planned_runs import PlannedRun, made_by_grid
from chestkd.study.study import PHANTOM, Study
from chestkd.workspace import duration

# Radiographs whose decoding is timed.
_DECODED = 32


def plan_text(study: Study, *, measure: bool = False) -> str:
    """The study's data, runs and cost, as lines of text.

    With ``measure`` networks of unknown speed are trained for some seconds each, and some
    radiographs are decoded; else only records of earlier runs are used. A phantom is not drawn.
    """
    preset, dataset = study.preset, _dataset(study)
    parts = split(dataset, preset.split, seed=preset.split_seed)
    images = {part: len(getattr(parts, part)) for part in PARTS}
    planned, made = study.planned(), _made(study, dataset)
    missing = [run for run in planned if run not in {*made, made_by_grid(preset)}]
    speeds = _speeds(study, missing, measure)
    epochs = sorted({preset.recipe_of(network).epochs for network in preset.networks})
    lines = [
        f"preset {preset.name} on {dataset.name}: {len(planned)} runs of "
        f"{' or '.join(map(str, epochs))} epoch{'s' * (epochs != [1])} at {preset.size} px, "
        f"{len(made)} of them made",
        "images: " + ", ".join(f"{count:,} {part}" for part, count in images.items()),
        f"data: {_data_cost(study, dataset, measure)}",
    ]
    if not missing:
        return "\n".join([*lines, "every run is made"])
    lines += [
        "",
        cost.report(cost.stages(preset, missing, images, speeds)),
        "",
        *(
            f"{network}: {speed.images_per_second:,.0f} images/s, "
            f"{duration(speed.startup_seconds)} to start; {speed.basis}"
            for network, speed in speeds.items()
        ),
    ]
    if made_by_grid(preset):
        lines.append("The best run of the grid is read again as a run of standard distillation.")
    if len(speeds) < len({run.network for run in missing}) and not measure:
        lines.append("Speeds that are not known are measured in minutes with --measure.")
    return "\n".join(lines).rstrip()


def _dataset(study: Study) -> Dataset:
    """The study's data set; of a phantom that was not drawn yet, what its seed decides already."""
    if study.data == PHANTOM and not study.data_folder.is_dir():
        return _undrawn(study.preset.phantom)
    return study.dataset


def _undrawn(specification: PhantomSpecification) -> Dataset:
    from chestkd.phantom.labels import draw_plan  # SciPy takes a second to import

    plan = draw_plan(specification)
    table = pd.DataFrame(
        {
            "image": [plan.name(row) for row in range(len(plan))],
            "patient": plan.patient,
            "listed": np.where(plan.test, "test", "train_val"),
        }
    )
    return Dataset(PHANTOM_NAME, Path(), table, plan.recorded, (), pd.DataFrame(), "", "")


def _prepared(study: Study, dataset: Dataset) -> bool:
    folder = folder_of(dataset, study.preset.size, workspace.build() / "prepared")
    return bool(dataset.fingerprint) and folder.is_dir()


def _made(study: Study, dataset: Dataset) -> set[PlannedRun]:
    """Runs that are in the store."""
    if not _prepared(study, dataset):
        return set()
    return {run for run in study.planned() if study.find(run) is not None}


def _speeds(study: Study, missing: list[PlannedRun], measure: bool) -> dict[str, cost.Speed]:
    networks = {run.network for run in missing}
    speeds: dict[str, cost.Speed] = {}
    stored = [
        run
        for run in cost.comparable(study.store.runs(), study.preset)
        if run.specification.network in networks
    ]
    if not stored and not measure:
        return speeds
    from chestkd.study import throughput  # Keras takes seconds to import

    speeds |= cost.recorded_speeds(stored, throughput.hardware_here)
    if measure:
        slow = [name for name in study.preset.networks if name in networks - speeds.keys()]
        for name in tqdm.tqdm(slow, desc="measuring", unit="network"):
            recipe = study.preset.recipe_of(name)
            speeds[name] = throughput.measure(name, study.preset.size, recipe)
    return speeds


def _data_cost(study: Study, dataset: Dataset, measure: bool) -> str:
    size = study.preset.size
    if _prepared(study, dataset):
        return f"prepared at {size} px"
    if not dataset.paths:
        return f"{len(dataset):,} images to draw and to decode to {size} px; time unknown"
    text = f"{len(dataset):,} images to decode to {size} px"
    if not measure:
        return f"{text}; time unknown"
    chosen = np.linspace(0, len(dataset) - 1, min(_DECODED, len(dataset)), dtype=int)
    start = time.perf_counter()
    for row in chosen:
        decode.resize(decode.decode_file(dataset.paths[row]), size)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    seconds = (time.perf_counter() - start) / len(chosen) * len(dataset) / (cores or 1)
    return f"{text}, about {duration(seconds)} on {cores} cores"
