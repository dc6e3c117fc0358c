"""The weights of every network, read back as a finished run's are, give the same outputs."""

from pathlib import Path

import keras
import numpy as np
import pytest
from color_networks import PRETRAINED, color_network, slow_if_large, write_weights
from keras import ops

from chestkd.networks.architectures import NETWORKS
from chestkd.training import checkpoints
from chestkd.training.run_network import initial_network, trained_network
from chestkd.training.specification import Recipe, RunSpecification
from chestkd.training.store import SELECTED, Run


def specification(network: str, weights: str | None, precision: str) -> RunSpecification:
    recipe, size = Recipe(epochs=1, precision=precision), NETWORKS[network].minimum_size
    return RunSpecification("base", network, "data", size, "official", recipe, weights=weights)


def pretend_training(model: keras.Model) -> None:
    """Change every weight; variances stay positive."""
    generator = np.random.default_rng(8)
    for weight in model.weights:
        factor = generator.uniform(0.9, 1.1, weight.shape)
        weight.assign(np.asarray(weight) * factor + generator.uniform(0, 1e-3, weight.shape))


def outputs(model: keras.Model) -> np.ndarray:
    images = np.random.default_rng(9).integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
    return ops.convert_to_numpy(model(images))


def check_round_trip(trained: RunSpecification, folder: Path) -> None:
    model = initial_network(trained)
    initial = outputs(model)
    pretend_training(model)
    checkpoints.save_weights(model, folder / SELECTED)
    run = Run(folder, {"id": trained.id, "specification": trained.as_dict()})
    again = trained_network(run)
    wanted = outputs(model)
    assert np.isfinite(wanted).all()
    assert not np.allclose(wanted, initial, rtol=0, atol=1e-3 * np.abs(wanted).max())
    np.testing.assert_allclose(outputs(again), wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """A function that puts random weights in place of the network's file at Keras."""

    def offer(name: str) -> None:
        path = write_weights(color_network(name), tmp_path / "pretrained.h5")

        def downloaded(file_name: str, *_, **__) -> str:
            assert file_name == NETWORKS[name].weights_file
            return str(path)

        monkeypatch.setattr("keras.src.utils.file_utils.get_file", downloaded)

    return offer


@pytest.mark.parametrize("name", slow_if_large(NETWORKS))
def test_with_random_initial_weights(name, tmp_path):
    check_round_trip(specification(name, None, "float32"), tmp_path)


@pytest.mark.parametrize("name", slow_if_large(PRETRAINED))
def test_with_imagenet_weights(name, imagenet, tmp_path):
    imagenet(name)
    check_round_trip(specification(name, "imagenet", "float32"), tmp_path)


@pytest.mark.parametrize("weights", [None, "imagenet"])
def test_in_mixed_precision(weights, imagenet, tmp_path):
    imagenet("resnet-50")
    check_round_trip(specification("resnet-50", weights, "bfloat16"), tmp_path)
