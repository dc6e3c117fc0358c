"""What a preset costs: its runs, images and steps, and the time they take at measured speeds.

Speeds come from the records of runs of the same network, size, batch and precision on the same
hardware, or from a quick measurement. Where there is neither, the time is unknown and nothing is
guessed. Forward passes, for validation, test and the teachers' outputs, are counted as a third of a
training step on as many images: a backward pass costs about two forward ones.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd
import tqdm

from chestkd import workspace
from chestkd.data import decode
from chestkd.data.dataset import PHANTOM_NAME
from chestkd.data.splits import PARTS, assign_parts
from chestkd.distillation.strategies import STRATEGIES
from chestkd.findings import FINDINGS
from chestkd.phantom.specification import PhantomSpecification
from chestkd.study.planned_runs import PlannedRun, made_by_grid
from chestkd.study.presets import Preset
from chestkd.study.study import Study
from chestkd.training.specification import Recipe, RunSpecification
from chestkd.training.store import Run, hardware
from chestkd.workspace import duration


class Speed(NamedTuple):
    """How fast a network trains here."""

    images_per_second: float
    #: How much longer the first epoch takes: building and compiling the graph.
    startup_seconds: float
    #: Where the numbers come from.
    basis: str


def plan_text(study: Study, *, measure: bool = False) -> str:
    """The study's data, runs and cost, as lines of text.

    With ``measure``, networks of unknown speed are trained for some seconds each and some
    radiographs are decoded; otherwise only records of earlier runs are used. No phantom is drawn.
    """
    preset, planned = study.preset, study.planned()
    name = study.dataset.name if study.is_drawn else PHANTOM_NAME
    table = study.dataset.table if study.is_drawn else _undrawn_table(preset.phantom)
    images = Counter(assign_parts(name, table, preset.split, seed=preset.split_seed).tolist())
    made = [run for run in planned if study.is_prepared and study.find(run) is not None]
    missing = [run for run in planned if run not in {*made, made_by_grid(preset)}]
    epochs = sorted({preset.recipe_of(network).epochs for network in preset.networks})
    lines = [
        f"preset {preset.name} on {name}: {len(planned)} runs of "
        f"{' or '.join(map(str, epochs))} epoch{'s' * (epochs != [1])} at {preset.size} px, "
        f"{len(made)} of them made",
        "images: " + ", ".join(f"{images[part]:,} {part}" for part in PARTS),
        f"data: {_data_cost(study, len(table), measure)}",
    ]
    if study.pretraining is not None:
        lines[:0] = [plan_text(study.pretraining, measure=measure), ""]
    if not missing:
        return "\n".join([*lines, "every run is made"])
    networks = list(dict.fromkeys(run.network for run in missing))
    speeds = recorded_speeds(study.store.runs(), preset, networks, hardware_here)
    unknown = [network for network in networks if network not in speeds]
    if measure:
        for network in tqdm.tqdm(unknown, desc="measuring", unit="network"):
            speeds[network] = measured_speed(network, preset.size, preset.recipe_of(network))
    lines += ["", report(stages(preset, missing, images, speeds)), ""]
    lines += [
        f"{network}: {speed.images_per_second:,.0f} images/s, "
        f"{duration(speed.startup_seconds)} to start; {speed.basis}"
        for network, speed in speeds.items()
    ]
    if made_by_grid(preset):
        lines.append("The best run of the grid is read again as a run of standard distillation.")
    if unknown and not measure:
        lines.append("Unknown speeds are measured in minutes with --measure.")
    return "\n".join(lines).rstrip()


def _undrawn_table(specification: PhantomSpecification) -> pd.DataFrame:
    """Image, patient and list of a phantom that is not drawn yet: its seed decides them."""
    from chestkd.phantom.labels import draw_plan  # SciPy takes a second to import

    plan = draw_plan(specification)
    images = [plan.name(row) for row in range(len(plan))]
    listed = np.where(plan.test, "test", "train_val")
    return pd.DataFrame({"image": images, "patient": plan.patient, "listed": listed})


def _data_cost(study: Study, images: int, measure: bool) -> str:
    size, cores = study.preset.size, workspace.machine()["cores"]
    if study.is_prepared:
        return f"prepared at {size} px"
    if not study.is_drawn:
        return f"{images:,} images to draw and to decode to {size} px; time unknown"
    if not measure:
        return f"{images:,} images to decode to {size} px; time unknown"
    sample = study.dataset.paths[:: 1 + images // 32]  # from all over the data set
    start = time.perf_counter()
    for path in sample:
        decode.resize(decode.decode_file(path), size)
    seconds = (time.perf_counter() - start) / len(sample) * images / cores
    return f"{images:,} images to decode to {size} px, about {duration(seconds)} on {cores} cores"


def stages(
    preset: Preset,
    planned: Collection[PlannedRun],
    images: Mapping[str, int],
    speeds: Mapping[str, Speed],
) -> pd.DataFrame:
    """The work of ``planned`` runs by stage: base, the grid, each other strategy, and the passes
    that store the teachers' outputs.

    ``images``: how many are in "train", "validation" and "test"; ``speeds``: by network. Columns:
    ``runs``; training ``images`` and ``steps`` over all epochs; ``seconds``, NaN where a speed is
    unknown; ``unknown``, the networks without a speed.
    """
    work = []
    for run in planned:
        stage = STRATEGIES[run.strategy].title
        stage = stage if run.alpha is None else "grid over alpha and temperature"
        recipe = preset.recipe_of(run.network)
        forward = recipe.epochs * images["validation"] + images["test"]
        work.append((stage, run.network, *run_size(recipe, images["train"]), forward))
    teachers = {
        (run.teacher, run.seed, STRATEGIES[run.strategy].defective): None
        for run in planned
        if run.teacher is not None
    }
    for teacher, _, _ in teachers:
        work.append(("teachers' outputs, stored once", teacher, 0, 0, 2 * images["train"]))
    rows = pd.DataFrame(work, columns=["stage", "network", "steps", "images", "forward"])
    # A network without a speed has NaN here, and so does whatever is computed from it.
    pace = rows["network"].map({name: speed.images_per_second for name, speed in speeds.items()})
    start = rows["network"].map({name: speed.startup_seconds for name, speed in speeds.items()})
    rows["seconds"] = (rows["images"] + rows["forward"] / 3) / pace + start * (rows["steps"] > 0)
    rows["unknown"] = rows["network"].where(pace.isna())
    return rows.groupby("stage", sort=False).agg(
        runs=("network", "size"),
        images=("images", "sum"),
        steps=("steps", "sum"),
        seconds=("seconds", lambda seconds: seconds.sum(skipna=False)),
        unknown=("unknown", lambda names: ", ".join(names.dropna().unique())),
    )


def run_size(recipe: Recipe, training_images: int) -> tuple[int, int]:
    """Steps and images of one run; an epoch leaves out its last images, fewer than a batch."""
    steps = recipe.epochs * recipe.steps_per_epoch(training_images)
    return steps, steps * min(recipe.batch_size, training_images)


def report(stages: pd.DataFrame) -> str:
    """`stages` as a text table, and their sum."""
    lines = [f"{'stage':34}{'runs':>6}{'images':>15}{'steps':>12}   time, one run after another"]
    for stage, runs, images, steps, seconds, unknown in stages.itertuples(name=None):
        spent = f"unknown: no speed of {unknown}" if unknown else duration(seconds)
        lines.append(f"{stage:34}{runs:>6}{images:>15,}{steps:>12,}   {spent}")
    missing = stages["seconds"].isna()
    total = "unknown" if missing.all() else duration(stages["seconds"].sum())
    more = " and what is unknown" if missing.any() and not missing.all() else ""
    images, steps = stages["images"].sum(), stages["steps"].sum()
    return "\n".join([*lines, f"{'all':40}{images:>15,}{steps:>12,}   {total}{more}"])


def recorded_speeds(
    runs: Iterable[Run],
    preset: Preset,
    networks: Collection[str],
    here: Callable[[str], str],
) -> dict[str, Speed]:
    """Median speed of each network over its runs at the preset's size, batch and precision.

    ``here`` names this machine's hardware at a precision; runs on other hardware do not count.
    """
    comparable: dict[str, list[Run]] = {}
    for run in runs:
        made = run.specification
        if made.network not in networks or run.diverged or not run.record["images_per_second"]:
            continue
        wanted, precision = preset.recipe_of(made.network), made.recipe.precision
        same = (made.size, made.recipe.batch_size) == (preset.size, wanted.batch_size)
        if same and precision == wanted.precision and run.hardware == here(precision):
            comparable.setdefault(made.network, []).append(run)
    return {network: _median_speed(own) for network, own in comparable.items()}


def _median_speed(runs: list[Run]) -> Speed:
    epochs = [run.history()["seconds"] for run in runs]
    return Speed(
        median(run.record["images_per_second"] for run in runs),
        median(max(0.0, float(seconds.iloc[0] - seconds.iloc[1:].median())) for seconds in epochs),
        f"median of {len(runs)} run{'s' * (len(runs) > 1)} on {runs[0].hardware}",
    )


def hardware_here(precision: str) -> str:
    """What a run would be made on here, as `Run.hardware` names it."""
    from chestkd.networks import backend  # Keras takes seconds to import

    return hardware(backend.devices(), backend.name(), precision, workspace.machine())


def measured_speed(network: str, size: int, recipe: Recipe, *, seconds: float = 5.0) -> Speed:
    """Train on random images: one step to build the graph, then as many as take ``seconds``."""
    from chestkd.training import batches, loop  # Keras takes seconds to import

    model = loop.compiled_network(RunSpecification("base", network, "", size, "", recipe), 1)
    images = np.random.default_rng(0).integers(0, 256, (recipe.batch_size, size, size), np.uint8)

    def time_epoch(steps: int) -> float:
        rows = np.resize(np.arange(len(images)), steps * len(images))
        epoch = batches.EpochBatches(
            images, rows, np.zeros((len(rows), len(FINDINGS)), np.uint8), None,
            batch_size=len(images), flip=recipe.flip, seed=0, epoch=1,
        )  # fmt: skip
        start = time.perf_counter()
        model.fit(epoch, epochs=1, shuffle=False, verbose=0)
        return time.perf_counter() - start

    first, second = time_epoch(1), time_epoch(1)
    steps = int(np.clip(seconds / second, 1, 100))
    step = time_epoch(steps) / steps
    basis = f"measured now on {hardware_here(recipe.precision)}: {steps} steps"
    return Speed(len(images) / step, max(0.0, first - step), basis)
