"""A study's runs as the cells of the paper's tables, and the effects that its claims rest on.

A cell is a strategy, a network and its teacher; it has one run for each seed. Effects compare two
cells seed by seed and are averaged over the seeds that both have. An interval holds what its
resamples vary: the patients of the test set, drawn as in `chestkd.evaluation.auc`, the same for
every run, and, where there are several seeds, the seeds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tqdm

from chestkd.data.splits import IMAGE_WISE
from chestkd.evaluation.auc import Estimate, Resamples, mean_auc
from chestkd.paper.claims import Claim, Part, claim
from chestkd.paper.comparisons import Comparison, Key, RunKey
from chestkd.paper.verdicts import EFFECT_COLUMNS, MEAN
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import Study
from chestkd.training.store import Run

NOT_PLANNED = "not in preset"
AUC_CLAIMS = tuple(f"C{number}" for number in range(1, 10))
# Effects of C11 in the study's folder, with `verdicts.EFFECT_COLUMNS`, written by whoever
# compares saliency maps with boxes (`verdicts.measured_effects` makes the table).
LOCALIZATION_EFFECTS = "localization-effects.csv"


@dataclass(frozen=True)
class Cell:
    """The runs of one strategy, network and teacher, by seed."""

    runs: Mapping[int, Run]
    # Why a seed has no scores: "not run" or "diverged".
    missing: Mapping[int, str]

    @property
    def note(self) -> str:
        """Why runs are missing: "", "not run", or by seed where others are there."""
        if not self.missing:
            return ""
        reasons = set(self.missing.values())
        if not self.runs and len(reasons) == 1:
            return reasons.pop()
        return ", ".join(f"seed {seed} {reason}" for seed, reason in self.missing.items())


Cells = Mapping[RunKey, Cell]


def cells(study: Study) -> dict[RunKey, Cell]:
    """Every cell that the preset plans on its own split, its runs made or not; no grid runs."""
    found: dict[RunKey, Cell] = {}
    for planned in study.planned():
        if planned.alpha is not None or planned.split is not None:
            continue
        key = RunKey(planned.strategy, planned.network, planned.teacher or "", _split(study))
        cell = found.setdefault(key, Cell({}, {}))
        run = study.find(planned)
        runs, missing = dict(cell.runs), dict(cell.missing)
        if run is None or run.diverged:
            missing[planned.seed] = "not run" if run is None else "diverged"
        else:
            runs[planned.seed] = run
        found[key] = Cell(runs, missing)
    return found


def _split(study: Study) -> Literal["patient-wise", "image-wise"]:
    return "image-wise" if study.preset.split == IMAGE_WISE else "patient-wise"


def image_wise_cells(study: Study) -> dict[RunKey, Cell]:
    """Base runs of this study's specifications on the image-wise split, where there are any.

    None for a study that is itself image-wise: it has nothing to be compared with.
    """
    found: dict[RunKey, dict[int, Run]] = {}
    if _split(study) == "image-wise":
        return {}
    for seed in study.preset.seeds:
        for network in study.preset.networks:
            run = study.find(PlannedRun("base", network, seed, split=IMAGE_WISE))
            if run is not None and not run.diverged:
                found.setdefault(RunKey("base", network, split="image-wise"), {})[seed] = run
    return {key: Cell(runs, {}) for key, runs in found.items()}


@dataclass(frozen=True)
class Measured:
    """A number of one run, and the same number under R resamples."""

    value: float
    # (R,), NaN where a resample leaves it undefined; row r is the same resample for all runs.
    resampled: np.ndarray


Measurements = Mapping[RunKey, Mapping[int, Measured]]


def mean_aucs(
    cells: Cells, resamples: int, *, seed: int = 0, progress: bool = False
) -> dict[RunKey, dict[int, Measured]]:
    """Mean test AUC of every run of ``cells``, by cell and seed; cells without runs are left out.

    Patients are drawn from those of all runs together: once for all where the runs share a test
    set, and still paired where they do not.
    """
    runs = {(key, number): run for key, cell in cells.items() for number, run in cell.runs.items()}
    if not runs:
        return {}
    patients = np.unique(np.concatenate([run.scores()["patients"] for run in runs.values()]))
    counts = Resamples.draw(patients, resamples, seed).counts
    measured: dict[RunKey, dict[int, Measured]] = {}
    shown = tqdm.tqdm(runs.items(), desc="resampling", unit="run", disable=not progress)
    for (key, number), run in shown:
        scores = run.scores()
        drawn = Resamples(counts, np.searchsorted(patients, scores["patients"]))
        labels, logits = scores["labels"], scores["logits"]
        # A finding without positives among all test images is left out; `auc_table` does so, too.
        defined = (labels.min(axis=0) == 0) & (labels.max(axis=0) == 1)
        resampled = drawn.auc_scores(labels[:, defined], logits[:, defined]).mean(axis=1)
        measured.setdefault(key, {})[number] = Measured(mean_auc(labels, logits), resampled)
    return measured


def estimate(measured: Mapping[int, Measured]) -> Estimate:
    """Mean over the seeds of a cell with its 95 % interval; NaN limits where all are undefined."""
    value = float(np.mean([each.value for each in measured.values()]))
    return Estimate(value, *_limits(_over_seeds([each.resampled for each in measured.values()])))


def _over_seeds(samples: list[np.ndarray]) -> np.ndarray:
    """Mean (R,) over S seeds of samples (R,) each, the seeds drawn anew in every resample.

    A plain bootstrap of S values has (S - 1) / S of their variance; drawn means are moved away
    from the mean of all by as much as makes up for that.
    """
    count, resamples = len(samples), len(samples[0])
    stacked = np.stack(samples, axis=1)  # (R, S)
    if count == 1:
        return stacked[:, 0]
    # The same draw for every comparison of as many seeds: what two of them share stays shared.
    generator = np.random.default_rng([0, count])
    shares = generator.multinomial(count, np.full(count, 1 / count), resamples) / count
    weights = 1 / count + np.sqrt(count / (count - 1)) * (shares - 1 / count)
    return (weights * stacked).sum(axis=1)


def _limits(sample: np.ndarray) -> tuple[float, float]:
    defined = sample[~np.isnan(sample)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.percentile(defined, [2.5, 97.5])
    return float(low), float(high)


def effects(claims: Iterable[Claim], measured: Measurements) -> pd.DataFrame:
    """The effects of all comparisons whose two sides have a seed in common, and of their means.

    ``measured`` is what the claims rest on. Returns `verdicts.EFFECT_COLUMNS`. A comparison that
    no resample defines, because the test set is tiny, is left out.
    """
    rows = [
        (subject.id, part.name, *row)
        for subject in claims
        for part in subject.parts
        for row in _part_effects(subject, part, measured)
    ]
    return pd.DataFrame(rows, columns=EFFECT_COLUMNS)


def _part_effects(
    subject: Claim, part: Part, measured: Measurements
) -> list[tuple[str, float, float, float]]:
    compared = {pair.label: _effect(subject, pair, measured) for pair in part.comparisons}
    known = {label: effect for label, effect in compared.items() if effect is not None}
    rows = [(label, effect.value, *_limits(effect.resampled)) for label, effect in known.items()]
    if known:
        values = [effect.value for effect in known.values()]
        samples = [effect.resampled for effect in known.values()]
        rows.append((MEAN, float(np.mean(values)), *_limits(np.mean(samples, axis=0))))
    return rows


def _effect(subject: Claim, pair: Comparison, measured: Measurements) -> Measured | None:
    one, other = _seeds_of(pair.one, measured), _seeds_of(pair.other, measured)
    seeds = [seed for seed in one if seed in other]
    if not seeds:
        return None
    effect = np.divide if subject.effect == "ratio" else np.subtract
    values = [effect(one[seed].value, other[seed].value) for seed in seeds]
    resampled = _over_seeds([effect(one[seed].resampled, other[seed].resampled) for seed in seeds])
    if np.isnan(resampled).all():
        return None
    return Measured(float(np.mean(values)), resampled)


def _seeds_of(key: Key, measured: Measurements) -> Mapping[int, Measured]:
    return measured.get(key, {}) if isinstance(key, RunKey) else {}


def auc_effects(
    study: Study, planned: Cells, measured: Measurements, *, progress: bool = False
) -> pd.DataFrame:
    """Effects of C1 to C9, and of C12 where the study has image-wise runs beside its own."""
    table = effects([claim(name) for name in AUC_CLAIMS], measured)
    leaky = image_wise_cells(study)
    if leaky:
        pairs = {key: planned[RunKey("base", key.network)] for key in leaky}
        both = {**leaky, **{RunKey("base", key.network): cell for key, cell in pairs.items()}}
        split = mean_aucs(both, study.preset.resamples, progress=progress)
        table = pd.concat([table, effects([claim("C12")], split)], ignore_index=True)
    return table


def stored_effects(path: Path, claim_id: str) -> pd.DataFrame:
    """Effects of one claim from a CSV file with `EFFECT_COLUMNS`; no rows where there is none.

    Raises ValueError where the file has other columns or speaks of another claim.
    """
    if not path.is_file():
        return pd.DataFrame(columns=EFFECT_COLUMNS)
    table = pd.read_csv(path)
    if list(table) != EFFECT_COLUMNS or set(table["claim"]) - {claim_id}:
        raise ValueError(
            f"{path}: expected the columns {EFFECT_COLUMNS} and claim {claim_id} only, received "
            f"{list(table)} and {sorted(set(table.get('claim', [])))}"
        )
    return table
