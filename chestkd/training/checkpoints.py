"""The state of a run between two epochs, written so that a kill never leaves half of it."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

_CHECKPOINT = "checkpoint.npz"


def _variables(model: keras.Model) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def save(model: keras.Model, history: list[dict[str, Any]], folder: Path) -> None:
    """Write weights, optimizer state and the epochs so far as one file, then rename it."""
    arrays = {f"v{index}": np.asarray(v) for index, v in enumerate(_variables(model))}
    temporary = folder / f".{_CHECKPOINT}"
    with temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, history=np.array(json.dumps(history)), **arrays)
    temporary.replace(folder / _CHECKPOINT)


def restore(model: keras.Model, folder: Path) -> list[dict[str, Any]]:
    """Bring ``model`` back to the last complete epoch; returns the epochs so far, or []."""
    path = folder / _CHECKPOINT
    if not path.is_file():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        for index, variable in enumerate(_variables(model)):
            variable.assign(arrays[f"v{index}"])
        return json.loads(str(arrays["history"]))


def remove(folder: Path) -> None:
    """Forget the checkpoint of a finished run."""
    (folder / _CHECKPOINT).unlink(missing_ok=True)


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a weights file whole or not at all."""
    temporary = path.with_name(f"new-{path.name}")
    model.save_weights(temporary)
    temporary.replace(path)
