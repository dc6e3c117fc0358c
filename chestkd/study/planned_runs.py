"""The runs of a preset, each once, in an order in which they can be made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from types import MappingProxyType

from chestkd import workspace
from chestkd.data.splits import IMAGE_WISE
from chestkd.distillation.run_names import RunName
from chestkd.distillation.strategies import STRATEGIES, roles, run_seed
from chestkd.networks.architectures import NETWORKS
from chestkd.study.presets import Preset
from chestkd.training.specification import Recipe, RunSpecification, Start, Teaching
from chestkd.training.store import Run


@dataclass(frozen=True, kw_only=True)
class PlannedRun(RunName):
    """One run of the sweep; its data is known only when it has been prepared."""

    seed: int
    #: The weight of the teacher and the temperature, where a grid over them is run; else None:
    #: the preset's, or the best of its grid.
    alpha: float | None = None
    temperature: float | None = None

    @property
    def name(self) -> RunName:
        """The run without what this sweep adds to its name: the cell of a table it belongs to."""
        return RunName(self.strategy, self.network, self.teacher, self.split)

    @property
    def key(self) -> str:
        """Readable and unique within a preset; names the files of the workflow."""
        teacher = None if self.teacher in (None, self.network) else f"from-{self.teacher}"
        grid = None if self.alpha is None else f"a{self.alpha:g}-T{self.temperature:g}"
        parts = (self.strategy, self.network, teacher, grid, self.split)
        return "-".join([*filter(None, parts), f"seed{self.seed}"])

    @property
    def title(self) -> str:
        """As the book's table of contents shows it."""
        network, strategy = NETWORKS[self.network].title, STRATEGIES[self.strategy].title
        by = f" from {NETWORKS[self.teacher].title}" if self.teacher else ""
        grid = "" if self.alpha is None else f", α = {self.alpha:g}, T = {self.temperature:g}"
        split = f", {self.split} split" if self.split else ""
        return f"{strategy}: {network}{by}{grid}{split}, seed {self.seed}"

    def teacher_run(self, preset: Preset) -> "PlannedRun | None":
        """The base run that teaches this one.

        It has the same seed, unless this is one of the preset's `student_seeds`, which no other
        network has: then it is the teacher of the first seed.
        """
        if self.teacher is None:
            return None
        alone = self.teacher != self.network and self.seed in preset.student_seeds.get(
            self.network, ()
        )
        return PlannedRun("base", self.teacher, seed=preset.seeds[0] if alone else self.seed)

    def with_distillation(self, alpha: float | None, temperature: float | None) -> "PlannedRun":
        """A copy with alpha and temperature of its own; None and None leave both to the preset.

        Raises ValueError where only one of them is given, or one is out of range.
        """
        if alpha is None and temperature is None:
            return self
        if alpha is None or temperature is None or not (0 <= alpha <= 1 and 0 < temperature < inf):
            raise ValueError(
                "give both alpha in [0, 1] and temperature above 0, or neither; received "
                f"alpha {alpha} and temperature {temperature}"
            )
        return replace(self, alpha=alpha, temperature=temperature)

    def parameters(self) -> dict[str, str | int | float]:
        """What the strategy's notebook is given, besides the study."""
        values: dict[str, str | int | float] = {"network": self.network, "seed": self.seed}
        if self.split:
            values["split"] = self.split
        if self.teacher and self.strategy != "self-training":
            values["teacher"] = self.teacher
        if self.alpha is not None and self.temperature is not None:
            values |= {"alpha": self.alpha, "temperature": self.temperature}
        return values

    def specification(
        self,
        preset: Preset,
        data: str,
        scaling: tuple[float, float] | None = None,
        *,
        alpha: float | None = None,
        temperature: float | None = None,
        loss: str | None = None,
        recipe: Recipe | None = None,
        starts: Mapping[str, Start] = MappingProxyType({}),
    ) -> RunSpecification:
        """The full specification on the data with this fingerprint and pixel statistics.

        ``alpha`` and ``temperature`` are used where the run itself names none; ``loss`` and
        ``recipe`` replace the preset's. The teacher is always the preset's own base run.
        ``starts``: where networks that are pre-trained start from.

        Raises ValueError for a taught run without alpha or temperature.
        """
        teaching = None
        teacher = self.teacher_run(preset)
        if teacher is not None:
            alpha = alpha if self.alpha is None else self.alpha
            temperature = temperature if self.temperature is None else self.temperature
            if alpha is None or temperature is None:
                raise ValueError(f"{self.key} needs alpha and temperature")
            base = teacher.specification(preset, data, scaling, starts=starts)
            teaching = Teaching(
                teacher=base.id,
                network=teacher.network,
                defective=STRATEGIES[self.strategy].defective,
                loss=loss or preset.distillation.loss,
                alpha=alpha,
                temperature=temperature,
            )
        weights = _initial_weights(preset, self.network)
        return RunSpecification(
            strategy=self.strategy,
            network=self.network,
            data=data,
            size=preset.size,
            split=self.split or preset.split,
            recipe=recipe or preset.recipe_of(self.network),
            teaching=teaching,
            seed=run_seed(self.strategy, self.network, self.teacher, self.seed),
            split_seed=preset.split_seed,
            weights=weights,
            weights_sha256=None if weights in (None, "imagenet") else _sha256(weights),
            start=starts.get(self.network),
            scaling=scaling,
        )


def _initial_weights(preset: Preset, network: str) -> str | None:
    """The preset's; a network without ImageNet weights starts from its seed."""
    if preset.weights == "imagenet" and NETWORKS[network].weights_file is None:
        return None
    return preset.weights


def _sha256(path: str) -> str:
    """Hash of a weights file, read again only when its time or size has changed."""
    file = workspace.resolve(path)
    if not file.is_file():
        raise FileNotFoundError(f"weights: no file at {path!r}")
    status = file.stat()
    return _hash_of_file(str(file), status.st_mtime_ns, status.st_size)


@lru_cache
def _hash_of_file(path: str, changed: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def grid_runs(preset: Preset) -> list[PlannedRun]:
    """Standard distillation of the preset's tuning pair at every alpha and temperature."""
    best = made_by_grid(preset)
    if best is None:
        return []
    return [
        replace(best, alpha=alpha, temperature=temperature)
        for alpha in preset.distillation.alpha
        for temperature in preset.distillation.temperature
    ]


def best_of_grid(runs: Mapping[PlannedRun, Run | None]) -> tuple[float, float]:
    """Alpha and temperature of the run of a grid with the highest validation AUC.

    Raises LookupError where a run has not been made, or all of them diverged.
    """
    missing = [planned.key for planned, run in runs.items() if run is None]
    if missing:
        raise LookupError(f"the grid over alpha and temperature has no {', '.join(missing)} yet")
    scored = {planned: run for planned, run in runs.items() if run and not run.diverged}
    if not scored:
        raise LookupError("every run of the grid over alpha and temperature diverged")
    best = max(scored, key=lambda planned: scored[planned].record["validation_auc"])
    assert best.alpha is not None
    assert best.temperature is not None
    return best.alpha, best.temperature


def made_by_grid(preset: Preset) -> PlannedRun | None:
    """The planned run that is the best of the grid's under another key; None without a grid."""
    if not preset.distillation.has_grid:
        return None
    return PlannedRun("standard", *preset.pairs[0], seed=preset.seeds[0])


def planned_runs(preset: Preset) -> list[PlannedRun]:
    """Every run that the preset's tables and figures need, each once.

    Seed by seed, so that a sweep that is stopped has complete tables of its first seeds; within a
    seed a run comes after those that it needs: base, grid, taught. Last come the `student_seeds`.
    """
    runs: list[PlannedRun] = []
    for seed in preset.seeds:
        runs += [PlannedRun("base", network, seed=seed) for network in preset.networks]
        runs += [
            PlannedRun("base", network, split=IMAGE_WISE, seed=seed)
            for network in preset.image_wise
        ]
        runs += grid_runs(preset) if seed == preset.seeds[0] else []
        for strategy in preset.strategies:
            runs += _taught_runs(preset, strategy, seed)
    for student, seeds in preset.student_seeds.items():
        for seed in seeds:
            runs.append(PlannedRun("base", student, seed=seed))
            for strategy in preset.strategies:
                if strategy != "reversed":
                    taught = _taught_runs(preset, strategy, seed)
                    runs += [run for run in taught if run.network == student]
    return list(dict.fromkeys(runs))


def _taught_runs(preset: Preset, strategy: str, seed: int) -> list[PlannedRun]:
    if strategy == "base":
        return []
    # Self-training needs no other network, so neither does a preset that asks for nothing else.
    alone = [(student, student) for student in preset.students]
    pairs = alone if strategy == "self-training" else preset.pairs
    return [PlannedRun(strategy, *roles(strategy, *pair), seed=seed) for pair in pairs]
