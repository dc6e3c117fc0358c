"""One run, start to end: train, choose the epoch by validation, score the test split, record."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from chestkd import workspace
from chestkd.data.prepare import Prepared
from chestkd.data.splits import Split
from chestkd.distillation import losses
from chestkd.evaluation.auc import mean_auc
from chestkd.findings import FINDINGS
from chestkd.networks import backend
from chestkd.training import checkpoints, optimizer
from chestkd.training.batches import EpochBatches, predict_logits
from chestkd.training.progress import EpochProgress
from chestkd.training.run_network import initial_network, start_from
from chestkd.training.specification import NUMERICS_VERSION, RunSpecification, Teaching
from chestkd.training.store import DEFECTIVE, SELECTED, Run, Store
from chestkd.training.teacher_logits import teacher_logits


def train(
    specification: RunSpecification,
    prepared: Prepared,
    split: Split,
    store: Store,
    *,
    progress: bool = True,
) -> Run:
    """Train one network and return its record; a run that is in the store is only loaded.

    After a kill, the next call continues from the last complete epoch. The epoch with the
    highest mean validation AUC is kept; test images are scored once, with that epoch's weights.
    A run whose loss stops being finite ends with the record's status "diverged".

    Raises ValueError if the specification was not made for this data and split.
    """
    _check(specification, prepared, split)
    if specification.id in store:
        return store.load(specification.id)
    with store.working_folder(specification.id) as folder:
        if specification.id not in store:  # another process may have finished it in the meantime
            training = _Training(specification, prepared, split, store, folder, progress)
            training.run()
            store.publish(specification.id)
    return store.load(specification.id)


def _check(specification: RunSpecification, prepared: Prepared, split: Split) -> None:
    for what, wanted, received in (
        ("data", specification.data, prepared.fingerprint),
        ("size", specification.size, prepared.size),
        ("split", specification.split, split.name),
        ("split seed", specification.split_seed, split.seed),
    ):
        if wanted != received:
            raise ValueError(f"the run asks for {what} {wanted!r}, but received {received!r}")


def compiled_network(
    specification: RunSpecification, steps_per_epoch: int, store: Store | None = None
) -> keras.Model:
    """The network of a run before training, with its optimizer, loss and accuracy.

    ``store`` has the run that it starts from; without a store its weights are random.
    """
    model = initial_network(specification)
    if store is not None:
        start_from(model, specification, store)
    model.compile(
        optimizer=optimizer.optimizer(specification.recipe, steps_per_epoch),
        loss=objective(specification.teaching),
        metrics=[accuracy],
    )
    return model


def objective(teaching: Teaching | None) -> Callable[[Any, Any], Any]:
    """The loss of targets (N, 14), or (N, 28) with the teacher's logits, and logits: (N,)."""
    if teaching is None:
        return losses.binary_cross_entropy
    total = losses.LOSSES[teaching.loss]

    def taught(targets: Any, logits: Any) -> Any:
        labels, teacher = targets[:, : len(FINDINGS)], targets[:, len(FINDINGS) :]
        return total(
            labels, logits, teacher, alpha=teaching.alpha, temperature=teaching.temperature
        )

    return taught


def accuracy(targets: Any, logits: Any) -> Any:
    """Share (N,) of the 14 findings on the right side of probability one half."""
    labels = targets[:, : len(FINDINGS)]
    return ops.mean(ops.cast(ops.equal(logits > 0, labels > 0.5), "float32"), axis=-1)


@dataclass
class _Training:
    specification: RunSpecification
    prepared: Prepared
    split: Split
    store: Store
    folder: Path
    progress: bool

    def run(self) -> None:
        specification, recipe = self.specification, self.specification.recipe
        start = time.perf_counter()
        self.taught = self._teacher_logits()
        self.teaching_seconds = time.perf_counter() - start
        steps = recipe.steps_per_epoch(len(self.split.train))
        self.model = compiled_network(specification, steps, self.store)
        self.model.optimizer.build(self.model.trainable_variables)
        history = checkpoints.restore(self.model, self.folder)
        while len(history) < recipe.epochs and not _diverged(history):
            history.append(self._epoch(len(history) + 1, history))
            checkpoints.save(self.model, history, self.folder)
        self._finish(pd.DataFrame(history))

    def _teacher_logits(self) -> np.ndarray | None:
        teaching = self.specification.teaching
        if teaching is None:
            return None
        teacher = self.store.load(teaching.teacher)
        return teacher_logits(teacher, teaching.defective, self.prepared, self.split)

    def _epoch(self, epoch: int, history: list[dict[str, Any]]) -> dict[str, Any]:
        specification, recipe = self.specification, self.specification.recipe
        batches = EpochBatches(
            self.prepared.images,
            self.split.train,
            self.prepared.dataset.labels[self.split.train],
            self.taught,
            batch_size=recipe.batch_size,
            flip=recipe.flip,
            seed=specification.seed,
            epoch=epoch,
            steps=recipe.steps_per_epoch(len(self.split.train)),
        )
        callback = EpochProgress(epoch, recipe.epochs, len(batches), enabled=self.progress)
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        start = time.perf_counter()
        # The order is drawn by EpochBatches; Keras would shuffle the batches again, unseeded.
        fitted = self.model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
        seconds = time.perf_counter() - start
        row = {
            "epoch": epoch,
            "rate": rate,
            "loss": fitted.history["loss"][0],
            "accuracy": fitted.history["accuracy"][0],
            **self._validate(),
            "seconds": seconds,
            "images_per_second": len(batches) * batches.batch_size / seconds,
        }
        if row["validation_auc"] > max([-np.inf, *(past["validation_auc"] for past in history)]):
            checkpoints.save_weights(self.model, self.folder / SELECTED)
        if specification.strategy == "base" and epoch == recipe.defective_epoch:
            checkpoints.save_weights(self.model, self.folder / DEFECTIVE)
        callback.report(row, history)
        return row

    def _validate(self) -> dict[str, float]:
        rows = self.split.validation
        labels = self.prepared.dataset.labels[rows]
        logits = predict_logits(
            self.model, self.prepared.images, rows, batch_size=self.specification.recipe.batch_size
        )
        if not np.isfinite(logits).all():
            return dict.fromkeys(
                ("validation_loss", "validation_accuracy", "validation_auc"), np.nan
            )
        hard = losses.binary_cross_entropy(labels, logits)
        return {
            "validation_loss": float(ops.convert_to_numpy(ops.mean(hard))),
            "validation_accuracy": float(np.mean((logits > 0) == labels)),
            "validation_auc": mean_auc(labels, logits),
        }

    def _finish(self, history: pd.DataFrame) -> None:
        diverged = not np.isfinite(history[["loss", "validation_auc"]].iloc[-1]).all()
        history.to_csv(self.folder / "history.csv", index=False)
        if not diverged:
            self.model.load_weights(self.folder / SELECTED)
            self._score_test()
        record = self._record(history, "diverged" if diverged else "complete")
        workspace.write_json(self.folder / "run.json", record)
        checkpoints.remove(self.folder)

    def _score_test(self) -> None:
        rows = self.split.test
        dataset = self.prepared.dataset
        np.savez_compressed(
            self.folder / "scores.npz",
            logits=predict_logits(self.model, self.prepared.images, rows),
            labels=dataset.labels[rows],
            images=dataset.table["image"].to_numpy(str)[rows],
            patients=dataset.table["patient"].to_numpy(np.int64)[rows],
        )

    def _record(self, history: pd.DataFrame, status: str) -> dict[str, Any]:
        selected = int(history["validation_auc"].argmax()) if status == "complete" else None
        return {
            "id": self.specification.id,
            "status": status,
            "specification": self.specification.as_dict(),
            "numerics_version": NUMERICS_VERSION,
            "data": {
                "name": self.prepared.dataset.name,
                "note": self.prepared.dataset.note,
                "split_fingerprint": self.split.fingerprint,
                "images": {
                    part: len(getattr(self.split, part)) for part in ("train", "validation", "test")
                },
            },
            "selected_epoch": None if selected is None else selected + 1,
            "validation_auc": None if selected is None else float(history["validation_auc"].max()),
            "parameters": int(self.model.count_params()),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "training_seconds": float(history["seconds"].sum()),
            # Time until the teacher's outputs were available, whether computed or read from disk.
            "teaching_seconds": None if self.taught is None else self.teaching_seconds,
            "images_per_second": float(history["images_per_second"].iloc[1:].median())
            if len(history) > 1
            else None,
            "backend": backend.name(),
            "devices": backend.devices(),
            "machine": workspace.machine(),
            "packages": workspace.packages(),
            **workspace.commit(),
        }


def _diverged(history: list[dict[str, Any]]) -> bool:
    return bool(history) and not (
        np.isfinite(history[-1]["loss"]) and np.isfinite(history[-1]["validation_auc"])
    )
