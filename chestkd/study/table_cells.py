"""A study's runs as the cells of the paper's tables, and the mean AUC of each run.

A cell is a strategy, a network and its teacher; it has one run for each seed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import tqdm

from chestkd.data.splits import IMAGE_WISE
from chestkd.distillation.run_names import RunName
from chestkd.evaluation.auc import auc_scores
from chestkd.evaluation.intervals import Measured, mean
from chestkd.evaluation.resamples import Resamples, defined_findings
from chestkd.findings import FINDINGS
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import Study
from chestkd.training.store import Run

NOT_PLANNED = "not in preset"


@dataclass(frozen=True)
class Cell:
    """The runs of one strategy, network and teacher, by seed."""

    runs: dict[int, Run] = field(default_factory=dict)
    #: Why a seed has no scores: "not run" or "diverged".
    missing: dict[int, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """Which runs are missing, and why: "", "not run", or by seed if the cell has others."""
        reasons = set(self.missing.values())
        if not self.runs and len(reasons) == 1:
            return reasons.pop()
        return ", ".join(f"seed {seed} {reason}" for seed, reason in self.missing.items())


Cells = Mapping[RunName, Cell]
# A number of each run, by cell and seed.
Measurements = Mapping[RunName, Mapping[int, Measured]]


def cells(study: Study) -> dict[RunName, Cell]:
    """Every cell that the preset plans on its own split, its runs made or not; no grid runs."""
    own = {"split": IMAGE_WISE} if study.preset.split == IMAGE_WISE else {}
    table: dict[RunName, Cell] = {}
    for planned in study.planned():
        if planned.alpha is not None or planned.split is not None:
            continue
        cell = table.setdefault(replace(planned.name, **own), Cell())
        run = study.find(planned)
        if run is None or run.diverged:
            cell.missing[planned.seed] = "not run" if run is None else "diverged"
        else:
            cell.runs[planned.seed] = run
    return table


def runs_of(cells: Cells) -> list[Run]:
    """All runs of all cells."""
    return [run for cell in cells.values() for run in cell.runs.values()]


def image_wise_cells(study: Study) -> dict[RunName, Cell]:
    """Base runs of this study's specifications on the image-wise split, where there are any.

    None for a study that is itself image-wise: it has nothing to compare them with.
    """
    table: dict[RunName, Cell] = {}
    if study.preset.split == IMAGE_WISE:
        return table
    for seed in study.preset.seeds:
        for network in study.preset.networks:
            planned = PlannedRun("base", network, split=IMAGE_WISE, seed=seed)
            run = study.find(planned)
            if run is not None and not run.diverged:
                table.setdefault(planned.name, Cell()).runs[seed] = run
    return table


def mean_aucs(
    cells: Cells, resamples: int, *, seed: int = 0, progress: bool = False
) -> dict[RunName, dict[int, Measured]]:
    """Mean test AUC of every run of ``cells``, by cell and seed; cells without runs are left out.

    All means are over the findings that every run's test images define (`shared_findings`).
    Patients are drawn from those of all runs together: once for all where the runs share a test
    set, and still paired where they do not.
    """
    runs = [(name, seed, run) for name, cell in cells.items() for seed, run in cell.runs.items()]
    if not runs:
        return {}
    patients = np.unique(np.concatenate([run.scores()["patients"] for *_, run in runs]))
    counts = Resamples.draw(patients, resamples, seed).counts
    shared = shared_findings([run for *_, run in runs])
    measured: dict[RunName, dict[int, Measured]] = {}
    for name, number, run in tqdm.tqdm(runs, "resampling", unit="run", disable=not progress):
        scores = run.scores()
        drawn = Resamples(counts, np.searchsorted(patients, scores["patients"]))
        columns = scores["labels"][:, shared], scores["logits"][:, shared]
        areas = map(Measured, auc_scores(*columns), drawn.auc_scores(*columns).T)
        measured.setdefault(name, {})[number] = mean(list(areas))
    return measured


def shared_findings(runs: Iterable[Run]) -> np.ndarray:
    """Whether the test images of every run have both positives and negatives of each finding.

    (14,) bool; ValueError where that is so for no finding.
    """
    defined = [defined_findings(run.scores()["labels"]) for run in runs]
    shared = np.logical_and.reduce([np.ones(len(FINDINGS), bool), *defined])
    if not shared.any():
        raise ValueError("no finding has both positives and negatives in the test set of every run")
    return shared


def left_out(runs: Iterable[Run]) -> str:
    """The findings that means over ``runs`` leave out, as `shared_findings` says; "" for none."""
    return ", ".join(np.array(FINDINGS)[~shared_findings(runs)])
