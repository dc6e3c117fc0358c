"""What a run is: its specification, its id, its record, and the store that keeps it.

A run is its specification. Everything that changes its numbers is in there, and the id ends in
a hash of it, so the same question is never computed twice and a changed one always is. A run's
folder holds plain files:

    run.json          the specification, where and how it ran, what came out
    history.csv       one row an epoch
    scores.npz        test logits (N, 14), labels, image names, patient ids
    selected.weights.h5   the epoch that the validation images chose
    defective.weights.h5  the epoch a quarter of the way through (base runs only)

A run is made in `<id>.partial` and renamed when complete: a folder that has its final name is
whole. Nothing is pickled.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pandas as pd

from chestkd.configuration import from_mapping

# Raised by hand whenever a change of the library changes the numbers of a run.
NUMERICS_VERSION = 1

# The forms of the loss in chestkd.losses, named here so that no table needs Keras.
LOSSES = ("sigmoid", "softmax-eq5", "softmax-eq7", "softmax-eq8")

SELECTED = "selected.weights.h5"
DEFECTIVE = "defective.weights.h5"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; section IV-C of the paper, completed by Yuan et al. (2020)."""

    # The paper's "200 iterations", read as epochs.
    epochs: int
    # Images a step; the paper does not say.
    batch_size: int = 128
    # Learning rate for a batch of 128; the rate in use is rate * batch_size / 128.
    rate: float = 0.1
    momentum: float = 0.9
    # Coupled: weight_decay * weight is added to the gradient.
    weight_decay: float = 5e-4
    # The rate rises linearly from zero over these epochs.
    warmup_epochs: int = 1
    # Fractions of the epochs at which the rate is multiplied by drop_factor.
    drops: tuple[float, ...] = (0.3, 0.6, 0.8)
    drop_factor: float = 0.2
    # Mirror each training image with probability one half, anew in every epoch.
    flip: bool = True
    # "float32", or "bfloat16" for mixed precision on GPUs.
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("rate", "momentum", "weight_decay", "warmup_epochs", "drop_factor"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.momentum >= 1:
            raise ValueError(f"momentum must be below 1, not {self.momentum}")
        if any(not 0 < drop <= 1 for drop in self.drops):
            raise ValueError(f"drops must lie in (0, 1], not {self.drops}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, not {self.precision!r}")

    @property
    def defective_epoch(self) -> int:
        """The epoch, counted from 1, whose weights are the defective teacher: 50 of 200."""
        return max(1, self.epochs // 4)


@dataclass(frozen=True)
class Teaching:
    """Who teaches, and how much of the loss is the teacher's; see `chestkd.losses`."""

    # The id of the teacher's run, and its network for the reader's sake.
    teacher: str
    network: str
    # Teach with the checkpoint a quarter of the way through instead of the selected one.
    defective: bool = False
    loss: str = "sigmoid"
    alpha: float = 0.5
    temperature: float = 4.0


@dataclass(frozen=True)
class RunSpecification:
    """Everything that changes the numbers of a run."""

    strategy: str
    network: str
    # Fingerprint of the prepared data: labels, patients and pixels.
    data: str
    # Side of the square input in pixels.
    size: int
    split: str
    recipe: Recipe
    teaching: Teaching | None = None
    # Draws the initial weights, the order of the images and the flips.
    seed: int = 0
    split_seed: int = 0
    # None: random initial weights. "imagenet", or the path of a weights file.
    weights: str | None = None
    # (mean, deviation) of the pixel values that are scaled to (0, 1); None: what the weights
    # expect, or [-1, 1] without weights.
    scaling: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, fit for JSON; `from_dict` is its inverse."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "run") -> "RunSpecification":
        """Read what `as_dict` wrote; unknown keys and wrong types are errors."""
        return from_mapping(cls, values, where)

    def with_recipe(self, **changes: Any) -> "RunSpecification":
        """A copy with some keys of its recipe changed; None leaves a key as it is."""
        named = {key: value for key, value in changes.items() if value is not None}
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, **named))

    @property
    def id(self) -> str:
        """Readable, and ends in a hash of everything that changes the numbers."""
        text = json.dumps([NUMERICS_VERSION, self.as_dict()], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        teacher = f"-from-{self.teaching.network}" if self.teaching else ""
        return f"{self.strategy}-{self.network}{teacher}-seed{self.seed}-{digest}"


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

    def history(self) -> pd.DataFrame:
        """One row an epoch, as `chestkd.training` recorded it."""
        return pd.read_csv(self.folder / "history.csv")

    def scores(self) -> dict[str, np.ndarray]:
        """Arrays of the test split: logits, labels (N, 14), images, patients (N,)."""
        with np.load(self.folder / "scores.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def weights(self, *, defective: bool = False) -> Path:
        """The weights file; FileNotFoundError where the run has none."""
        path = self.folder / (DEFECTIVE if defective else SELECTED)
        if not path.is_file():
            raise FileNotFoundError(f"run {self.id} ({self.record['status']}) has no {path.name}")
        return path


class Store:
    """A folder of runs."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def __contains__(self, run_id: str) -> bool:
        return (self.folder / run_id / "run.json").is_file()

    def load(self, run_id: str) -> Run:
        """Read the record of a finished run; KeyError where there is none."""
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
