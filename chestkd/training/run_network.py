"""Networks of runs: as they start, and as their training left them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import keras

from chestkd.networks import build
from chestkd.training.specification import RunSpecification
from chestkd.training.store import Run, Store


def initial_network(specification: RunSpecification) -> keras.Model:
    """The network of a run as its seed and `weights` begin it: (N, size, size, 1) to (N, 14).

    The weights of `RunSpecification.start` are not read; `start_from` does that.
    """
    return _build(specification, specification.weights)


def start_from(model: keras.Model, specification: RunSpecification, store: Store) -> None:
    """Give the model of a run the weights of the run that it starts from, if there is one.

    Raises KeyError where that run is not in the store, ValueError if it is of another network.
    """
    start = specification.start
    if start is None:
        return
    earlier = store.load(start.run)
    if earlier.specification.network != specification.network:
        raise ValueError(
            f"a run of {specification.network} cannot start from {start.run}, which is of "
            f"{earlier.specification.network}"
        )
    dense = model.get_layer("logits")
    drawn = dense.get_weights()
    model.load_weights(earlier.weights())
    if not start.dense:
        dense.set_weights(drawn)


def _build(specification: RunSpecification, weights: str | None) -> keras.Model:
    scaling: build.Scaling | None = "imagenet" if specification.weights else None
    if specification.scaling is not None:
        mean, deviation = specification.scaling
        scaling = (mean, deviation)
    with _precision(specification.recipe.precision):
        return build.build_network(
            specification.network,
            specification.size,
            seed=specification.seed,
            weights=weights,
            scaling=scaling,
        )


def trained_network(
    run: Run, *, defective: bool = False, size: int | None = None, precision: str | None = None
) -> keras.Model:
    """The network of a finished run: the selected epoch, or the defective one.

    `size` (pixels) and `precision` are those of the training unless given.
    """
    specification = run.specification.with_recipe(precision=precision)
    specification = replace(specification, size=size or specification.size)
    # The file of initial weights, if there was one, is not needed any more.
    model = _build(specification, None)
    model.load_weights(run.weights(defective=defective))
    return model


@contextmanager
def _precision(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
