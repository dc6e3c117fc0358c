"""Records of runs beside the book: small files from which its tables can be computed again.

``book/records/PRESET`` contains, without weights or images::

    PRESET.yaml         the preset
    data.json           what was read, prepared and split
    validation.npz      labels of the validation images (N, 14), for Figure 6
    localization-effects.csv, .json     what claim C11 rests on, if it was measured
    runs/test-HASH.npz  what all runs of one test part share
    runs/KEY/           `run.json`, `history.csv` and the test scores of a run
    SHA256SUMS          the hash of every file, as `sha256sum --check` reads it

A run's folder has the name of its notebook. The same runs give the same bytes.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chestkd import workspace
from chestkd.data.dataset import PHANTOM_NAME
from chestkd.pages import claim_11
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import load
from chestkd.study.study import Study
from chestkd.training import compact_scores
from chestkd.training.store import Run, Store

MANIFEST = "SHA256SUMS"


@dataclass(frozen=True)
class RecordedRun(Run):
    """A run that keeps the scores that it has read: many tables ask for them."""

    @cached_property
    def _scores(self) -> dict[str, np.ndarray]:
        return super().scores()

    def scores(self) -> dict[str, np.ndarray]:
        """As those of any run."""
        return self._scores


class Recorded(Study):
    """A study that reads its runs from its records, whatever the present code would call them."""

    @property
    def folder(self) -> Path:
        """Its records."""
        return Path(self.preset_argument).parent

    @property
    def store(self) -> Store:
        """The recorded runs, in folders named by the key of the plan instead of the id."""
        return Store(self.folder / "runs")

    def find(self, planned: PlannedRun) -> Run | None:
        """The recorded run of a planned cell, or None."""
        return self._runs.get(planned.key)

    def pretraining_runs(self) -> dict[str, Run]:
        """The recorded runs that networks start from, by the name of their notebook."""
        names = [_pretraining_name(network) for network in self.pretrained]
        return {name: self._runs[name] for name in names if name in self._runs}

    @cached_property
    def _runs(self) -> dict[str, Run]:
        runs = self.store.runs()
        return {run.folder.name: RecordedRun(run.folder, run.record) for run in runs}

    def describe(self) -> dict[str, Any]:
        """What was read and prepared, and the ``name`` of the data set."""
        return json.loads((self.folder / "data.json").read_text(encoding="utf-8"))

    def validation_labels(self) -> np.ndarray:
        """Labels of the validation images, (N, 14) uint8."""
        with np.load(self.folder / "validation.npz", allow_pickle=False) as arrays:
            return arrays["labels"]


def read(folder: Path) -> Recorded:
    """The study whose records are in a folder; FileNotFoundError where there are none."""
    preset = str(folder.absolute() / f"{folder.name}.yaml")
    return Recorded(load(preset), preset)


def folder_of(preset: str) -> Path:
    """Where the records of a preset are, by its name."""
    return workspace.root() / "book" / "records" / preset


def write(study: Study, folder: Path) -> int:
    """Add the finished runs of a study on the phantom to its records; how many runs those are.

    Records of runs that this machine does not have are kept, unless they are no longer planned.
    Raises ValueError for other data: nothing about real radiographs is ever published.
    """
    if study.dataset.name != PHANTOM_NAME:
        raise ValueError(f"only records of a PHANTOM can be kept, not of {study.dataset.name}")
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    preset = study.preset_argument
    source = preset if preset.endswith(".yaml") else f"workflow/presets/{preset}.yaml"
    shutil.copyfile(workspace.resolve(source), folder / f"{study.preset.name}.yaml")
    workspace.write_json(folder / "data.json", {"name": study.dataset.name} | study.describe())
    labels = study.prepared.dataset.labels[study.split.validation]
    np.savez_compressed(folder / "validation.npz", allow_pickle=False, labels=labels)
    for name in claim_11.FILES:
        if (study.folder / name).is_file():
            shutil.copyfile(study.folder / name, folder / name)
    runs = {planned.key: study.find(planned) for planned in study.planned()}
    for network, planned in study.pretrained.items():
        assert study.pretraining is not None
        runs[_pretraining_name(network)] = study.pretraining.find(planned)
    for key, run in runs.items():
        if run is not None:
            _write_run(run, folder / "runs" / key)
    _remove_leftovers(folder / "runs", set(runs))
    workspace.write_atomically(folder / MANIFEST, manifest(folder))
    return len(Store(folder / "runs").runs())


def _pretraining_name(network: str) -> str:
    return f"pretraining-{network}"


def _write_run(run: Run, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("run.json", "history.csv"):
        shutil.copyfile(run.folder / name, folder / name)
    if not run.diverged:
        compact_scores.write(run.scores(), folder)


def _remove_leftovers(folder: Path, planned: set[str]) -> None:
    """Remove runs that are not planned, and what no run shares any more."""
    for path in folder.iterdir():
        if path.is_dir() and path.name not in planned:
            shutil.rmtree(path)
    used = {compact_scores.shared_by(path.parent) for path in folder.glob("*/scores.npz")}
    for path in set(folder.glob("*.npz")) - used:
        path.unlink()


def manifest(folder: Path) -> str:
    """The SHA-256 of every file in a folder but `MANIFEST`, a line each, sorted by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in paths
        if path != folder / MANIFEST
    )


def changed(folder: Path) -> list[str]:
    """A line for each file of the records that is not as `MANIFEST` says, and names it."""
    there, noted = manifest(folder), (folder / MANIFEST).read_text("utf-8", errors="replace")
    hashes, listed = _by_name(there), _by_name(noted)
    lines = []
    for name in sorted({*hashes, *listed}):
        if hashes.get(name) != listed.get(name):
            was, found = (known.get(name, "nothing") for known in (listed, hashes))
            lines.append(f"{folder / name}: {folder / MANIFEST} says {was}, found {found}")
    if not lines and there != noted:
        lines.append(f"{folder / MANIFEST}: the same hashes, but written otherwise")
    return lines


def _by_name(manifest: str) -> dict[str, str]:
    lines = (line.partition("  ") for line in manifest.splitlines())
    return {name: digest for digest, _, name in lines}
