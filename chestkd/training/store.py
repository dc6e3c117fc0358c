"""Where runs are stored: a folder each, its record, and what can be read from it.

A run's folder contains plain files::

    run.json          the specification, where and how it ran, what came out
    history.csv       one row an epoch
    scores.npz        test logits (N, 14), labels, image names, patient ids; see `compact_scores`
                      for their form in the records beside the book
    selected.weights.h5   the epoch that the validation images chose
    defective.weights.h5  the epoch a quarter of the way through (base runs only)

A run is made in `<id>.partial` and renamed when complete, so a folder with its final name is
whole. Nothing is pickled.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd

from chestkd.training import compact_scores
from chestkd.training.specification import RunSpecification

SELECTED = "selected.weights.h5"
DEFECTIVE = "defective.weights.h5"


@dataclass(frozen=True)
class Run:
    """A finished run in its folder."""

    folder: Path
    record: dict[str, Any]

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.record["id"]

    @property
    def specification(self) -> RunSpecification:
        """What was asked for, read back from the record."""
        return RunSpecification.from_dict(self.record["specification"], str(self.folder))

    @property
    def diverged(self) -> bool:
        """True where the loss stopped being finite: there are no scores and no weights."""
        return self.record["status"] == "diverged"

    @property
    def hardware(self) -> str:
        """What it ran on, as `hardware` names it."""
        record = self.record
        precision = record["specification"]["recipe"]["precision"]
        return hardware(record["devices"], record["backend"], precision, record["machine"])

    def history(self) -> pd.DataFrame:
        """One row an epoch, as `chestkd.training.loop` recorded it."""
        return pd.read_csv(self.folder / "history.csv")

    def scores(self) -> dict[str, np.ndarray]:
        """Arrays of the test split: logits, labels (N, 14), images, patients (N,)."""
        with np.load(self.folder / "scores.npz", allow_pickle=False) as arrays:
            stored = dict(arrays)
        return stored if "logits" in stored else compact_scores.read(stored, self.folder)

    def weights(self, *, defective: bool = False) -> Path:
        """The weights file; FileNotFoundError if the run has none."""
        path = self.folder / (DEFECTIVE if defective else SELECTED)
        if not path.is_file():
            raise FileNotFoundError(f"run {self.id} ({self.record['status']}) has no {path.name}")
        return path


def hardware(
    devices: Sequence[str], backend: str, precision: str, machine: Mapping[str, Any]
) -> str:
    """Devices, backend and precision, and for a CPU its cores: times of one name compare.

    ``machine`` is that of `chestkd.workspace.machine`.
    """
    where = ", ".join(devices)
    if where == "cpu":
        where = f"{machine['processor']}, {machine['cores']} cores"
    return f"{where}, {backend}, {precision}"


class Store:
    """A folder of runs."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def __contains__(self, run_id: str) -> bool:
        return (self.folder / run_id / "run.json").is_file()

    def load(self, run_id: str) -> Run:
        """Read the record of a finished run; KeyError if there is none."""
        path = self.folder / run_id / "run.json"
        if not path.is_file():
            raise KeyError(f"no run {run_id} in {self.folder}")
        return Run(path.parent, json.loads(path.read_text(encoding="utf-8")))

    def runs(self) -> list[Run]:
        """All finished runs, sorted by id."""
        paths = sorted(self.folder.glob("*/run.json"))
        return [self.load(path.parent.name) for path in paths if path.parent.suffix != ".partial"]

    @contextmanager
    def working_folder(self, run_id: str) -> Iterator[Path]:
        """The folder of a run in the making, for one process at a time; kept after a kill."""
        partial = self.folder / f"{run_id}.partial"
        partial.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.folder / f".{run_id}.lock"):
            yield partial

    def publish(self, run_id: str) -> Run:
        """Give the finished working folder its final name."""
        (self.folder / f"{run_id}.partial").replace(self.folder / run_id)
        return self.load(run_id)
