"""What a preset costs: its runs, images and steps, and the time they take at measured speeds.

Speeds come from the records of runs of the same network, size and precision on the same hardware,
or from a quick measurement (`chestkd.study.throughput`). Where there is neither, the time is
unknown and nothing is guessed. Forward passes, for validation, test and the teachers' outputs, are
counted as a third of a training step on as many images: a backward pass costs about two forward
ones.
"""

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from chestkd.distillation.strategies import STRATEGIES
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import Preset
from chestkd.study.training_times import hardware, images_per_second
from chestkd.training.specification import Recipe
from chestkd.training.store import Run
from chestkd.workspace import duration

_FORWARD = 1 / 3


@dataclass(frozen=True)
class Speed:
    """How fast a network trains here."""

    images_per_second: float
    # What the first epoch takes longer: building and compiling the graph.
    startup_seconds: float
    # Where the numbers come from.
    basis: str


@dataclass(frozen=True)
class Stage:
    """Some of the work of a study."""

    title: str
    runs: int
    # Training images over all epochs, and steps of the optimizer.
    images: int
    steps: int
    # None where the speed of a network is not known.
    seconds: float | None
    unknown: tuple[str, ...] = ()


def stages(
    preset: Preset,
    planned: Collection[PlannedRun],
    images: Mapping[str, int],
    speeds: Mapping[str, Speed],
) -> list[Stage]:
    """The stages of training ``planned`` runs: base, the grid, the other strategies, and the
    passes that store the teachers' outputs.

    ``images``: how many are in "train", "validation" and "test"; ``speeds``: by network.
    """
    groups = {
        STRATEGIES[name].title: [
            run for run in planned if run.strategy == name and run.alpha is None
        ]
        for name in STRATEGIES
    }
    base = STRATEGIES["base"].title
    grid = [run for run in planned if run.alpha is not None]
    groups = {base: groups.pop(base), "grid over alpha and temperature": grid, **groups}
    found = [
        _training(title, preset, runs, images, speeds) for title, runs in groups.items() if runs
    ]
    teachers = dict.fromkeys(
        (run.teacher, run.seed, STRATEGIES[run.strategy].defective)
        for run in planned
        if run.teacher is not None
    )
    if teachers:
        found.append(_outputs([name for name, _, _ in teachers], 2 * images["train"], speeds))
    return found


def _training(
    title: str,
    preset: Preset,
    planned: Collection[PlannedRun],
    images: Mapping[str, int],
    speeds: Mapping[str, Speed],
) -> Stage:
    total, steps, seconds = 0, 0, 0.0
    for run in planned:
        recipe = preset.recipe_of(run.network)
        run_steps, trained = run_size(recipe, images["train"])
        total, steps = total + trained, steps + run_steps
        if run.network in speeds:
            speed = speeds[run.network]
            forward = recipe.epochs * images["validation"] + images["test"]
            seconds += (trained + _FORWARD * forward) / speed.images_per_second
            seconds += speed.startup_seconds
    unknown = _unknown((run.network for run in planned), speeds)
    return Stage(title, len(planned), total, steps, None if unknown else seconds, unknown)


def run_size(recipe: Recipe, training_images: int) -> tuple[int, int]:
    """Steps and images of one run; an epoch leaves out its last images, fewer than a batch."""
    batch = min(recipe.batch_size, training_images)
    steps = recipe.epochs * (training_images // batch)
    return steps, steps * batch


def _outputs(teachers: list[str], each: int, speeds: Mapping[str, Speed]) -> Stage:
    unknown = _unknown(teachers, speeds)
    seconds = None
    if not unknown:
        seconds = sum(_FORWARD * each / speeds[name].images_per_second for name in teachers)
    return Stage("teachers' outputs, stored once", len(teachers), 0, 0, seconds, unknown)


def _unknown(networks: Iterable[str], speeds: Mapping[str, Speed]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(networks) if name not in speeds)


def comparable(runs: Iterable[Run], preset: Preset) -> list[Run]:
    """Runs of a network of the preset at its size, batch and precision, with a known speed."""
    found = []
    for run in runs:
        specification = run.specification
        if run.diverged or specification.network not in preset.networks:
            continue
        own, asked = specification.recipe, preset.recipe_of(specification.network)
        same = (own.precision, own.batch_size) == (asked.precision, asked.batch_size)
        if same and specification.size == preset.size and run.record["images_per_second"]:
            found.append(run)
    return found


def recorded_speeds(runs: Iterable[Run], here: Callable[[str], str]) -> dict[str, Speed]:
    """Median speed of each network over the ``runs`` made on this hardware.

    ``here`` names the hardware at a precision, as `training_times.hardware` does.
    """
    by_network: dict[str, list[Run]] = {}
    for run in runs:
        if hardware(run.record) == here(run.specification.recipe.precision):
            by_network.setdefault(run.specification.network, []).append(run)
    speeds = {}
    for network, own in by_network.items():
        pace = statistics.median(map(images_per_second, own))
        startup = statistics.median(map(_startup, own))
        basis = f"median of {len(own)} run{'s' * (len(own) > 1)} on {hardware(own[0].record)}"
        speeds[network] = Speed(pace, startup, basis)
    return speeds


def _startup(run: Run) -> float:
    seconds = run.history()["seconds"]
    return max(0.0, float(seconds.iloc[0] - seconds.iloc[1:].median()))


def report(stages: list[Stage]) -> str:
    """The stages as a text table, and their sum."""
    lines = [f"{'stage':34}{'runs':>6}{'images':>15}{'steps':>12}   time, one run after another"]
    for stage in stages:
        if stage.seconds is None:
            time = f"unknown: no speed of {', '.join(stage.unknown)}"
        else:
            time = duration(stage.seconds)
        lines.append(
            f"{stage.title:34}{stage.runs:>6}{stage.images:>15,}{stage.steps:>12,}   {time}"
        )
    known = [stage.seconds for stage in stages if stage.seconds is not None]
    total = duration(sum(known)) if known else "unknown"
    more = " and what is unknown" if known and len(known) < len(stages) else ""
    images, steps = (sum(getattr(stage, name) for stage in stages) for name in ("images", "steps"))
    lines.append(f"{'all':34}{'':6}{images:>15,}{steps:>12,}   {total}{more}")
    return "\n".join(lines)
