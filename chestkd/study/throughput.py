"""How fast a network trains here, measured on random images in a minute or so."""

import time

import keras
import numpy as np

from chestkd import workspace
from chestkd.findings import FINDINGS
from chestkd.networks import backend
from chestkd.study.cost import Speed
from chestkd.study.training_times import hardware
from chestkd.training import loop, optimizer
from chestkd.training.batches import EpochBatches
from chestkd.training.run_network import initial_network
from chestkd.training.specification import Recipe, RunSpecification


def measure(network: str, size: int, recipe: Recipe, *, seconds: float = 5.0) -> Speed:
    """Train on random images: one step to build the graph, then as many as take ``seconds``."""
    specification = RunSpecification("base", network, "random", size, "none", recipe)
    model = initial_network(specification)
    model.compile(
        optimizer=optimizer.optimizer(recipe, 1),
        loss=loop.objective(None),
        metrics=[loop.accuracy],
    )
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (recipe.batch_size, size, size), np.uint8)
    first = _seconds(model, images, recipe, 1)
    once = _seconds(model, images, recipe, 1)
    steps = int(np.clip(seconds / once, 1, 100))
    step = _seconds(model, images, recipe, steps) / steps
    device = ", ".join(backend.devices())
    basis = f"measured now on {device}, {backend.name()}, {recipe.precision}: {steps} steps"
    return Speed(recipe.batch_size / step, max(0.0, first - step), basis)


def _seconds(model: keras.Model, images: np.ndarray, recipe: Recipe, steps: int) -> float:
    """Seconds of an epoch of so many steps, batches gathered as in a run."""
    rows = np.resize(np.arange(len(images)), steps * recipe.batch_size)
    labels = np.zeros((len(rows), len(FINDINGS)), np.uint8)
    batches = EpochBatches(
        images, rows, labels, None,
        batch_size=recipe.batch_size, flip=recipe.flip, seed=0, epoch=1,
    )  # fmt: skip
    start = time.perf_counter()
    model.fit(batches, epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - start


def hardware_here(precision: str) -> str:
    """The hardware that a run would be made on, as `training_times.hardware` names it."""
    return hardware(
        {
            "devices": backend.devices(),
            "backend": backend.name(),
            "machine": workspace.machine(),
            "specification": {"recipe": {"precision": precision}},
        }
    )
