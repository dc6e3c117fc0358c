"""A study whose runs were written by hand: records, histories and scores without training."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from chestkd.findings import FINDINGS
from chestkd.study.planned_runs import PlannedRun, planned_runs
from chestkd.study.presets import Preset
from chestkd.training.specification import RunSpecification
from chestkd.training.store import Run, Store

PATIENTS = 60


def labels_and_patients(images: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels (images, 14) with a third present, and patients of four images each."""
    labels = np.random.default_rng(seed).random((images, len(FINDINGS))) < 1 / 3
    return labels.astype(np.uint8), np.arange(images) // 4


def scores(labels: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Logits whose AUC rises with ``strength``."""
    noise = np.random.default_rng(seed).normal(size=labels.shape)
    return (strength * labels + noise).astype(np.float32)


class Fabricated:
    """What `chestkd.study.study.Study` offers to tables: preset, plan, store, and runs by plan."""

    def __init__(self, preset: Preset, folder: Path):
        self.preset, self.folder, self.store = preset, folder, Store(folder / "runs")
        self.labels, self.patients = labels_and_patients()
        self.dataset = SimpleNamespace(name="PHANTOM")
        self.pretrained: dict[str, PlannedRun] = {}

    def tested_on(self, split: str = "") -> str:
        return f"test patients of the {split or self.preset.split} split"

    def planned(self) -> list[PlannedRun]:
        return planned_runs(self.preset)

    def pretraining_runs(self) -> dict[str, Run]:
        return {}

    def specification(self, planned: PlannedRun) -> RunSpecification:
        return planned.specification(self.preset, "data", alpha=0.5, temperature=4.0)

    def find(self, planned: PlannedRun) -> Run | None:
        run_id = self.specification(planned).id
        return self.store.load(run_id) if run_id in self.store else None

    def add(
        self, planned: PlannedRun, strength: float = 1.0, **changes: object
    ) -> RunSpecification:
        """Write the run of a planned cell; see `write`."""
        specification = self.specification(planned)
        self.write(specification, strength, **changes)
        return specification

    def write(
        self,
        specification: RunSpecification,
        strength: float = 1.0,
        *,
        seconds: tuple[float, ...] = (20.0, 10.0, 10.0),
        status: str = "complete",
        labels: np.ndarray | None = None,
        patients: np.ndarray | None = None,
        logits: np.ndarray | None = None,
        **record: object,
    ) -> None:
        """Write a run's files; ``record`` replaces keys of its `run.json`."""
        with self.store.working_folder(specification.id) as folder:
            history = pd.DataFrame({"epoch": range(1, len(seconds) + 1), "seconds": seconds})
            for name in ("loss", "accuracy", "validation_auc"):
                history[name] = 1 - 1 / (1 + history["epoch"] + len(specification.strategy))
            for name in ("loss", "accuracy"):
                history[f"validation_{name}"] = history[name] / 2
            history.to_csv(folder / "history.csv", index=False)
            if status == "complete":
                labels = self.labels if labels is None else labels
                patients = self.patients if patients is None else patients
                # The seed of the noise: as different as the runs are.
                seed = int(specification.id[-8:], 16)
                np.savez(
                    folder / "scores.npz",
                    logits=scores(labels, strength, seed) if logits is None else logits,
                    labels=labels,
                    patients=patients,
                    images=np.arange(len(labels)).astype(str),
                )
            values = {
                "id": specification.id,
                "status": status,
                "specification": specification.as_dict(),
                "training_seconds": sum(seconds),
                "images_per_second": 1000 / seconds[-1] if len(seconds) > 1 else None,
                "backend": "jax",
                "devices": ["NVIDIA H200"],
                "machine": {"processor": "AMD EPYC", "cores": 2, "system": "Linux"},
                "commit": "0123456789",
                "dirty": False,
                **record,
            }
            (folder / "run.json").write_text(json.dumps(values))
            self.store.publish(specification.id)
