import keras
import numpy as np
import pytest
from keras import ops

from chestkd.training.optimizer import CoupledSGD, WarmUpThenSteps, optimizer
from chestkd.training.specification import Recipe


def rates(recipe: Recipe, steps_per_epoch: int) -> np.ndarray:
    schedule = WarmUpThenSteps(recipe, steps_per_epoch)
    steps = range(recipe.epochs * steps_per_epoch)
    return np.array([float(ops.convert_to_numpy(schedule(step))) for step in steps])


def test_the_rate_by_hand():
    recipe = Recipe(epochs=10, batch_size=64, rate=0.1, warmup_epochs=1)
    expected = [0.0125, 0.025, 0.0375, 0.05] + 8 * [0.05] + 12 * [0.01] + 8 * [0.002] + 8 * [0.0004]
    np.testing.assert_allclose(rates(recipe, 4), expected, rtol=1e-6)


def test_without_warm_up_and_drops_the_rate_is_constant():
    recipe = Recipe(epochs=3, batch_size=128, warmup_epochs=0, drops=())
    np.testing.assert_allclose(rates(recipe, 2), 0.1, rtol=1e-6)


def fitted_weights(chosen: keras.optimizers.Optimizer, penalty: float) -> np.ndarray:
    inputs = keras.Input((3,))
    regularizer = keras.regularizers.L2(penalty) if penalty else None
    kernel = keras.initializers.Constant(0.5)
    layer = keras.layers.Dense(
        2, kernel_initializer=kernel, kernel_regularizer=regularizer, bias_regularizer=regularizer
    )
    model = keras.Model(inputs, layer(inputs))
    model.compile(optimizer=chosen, loss="mse", jit_compile=False)
    generator = np.random.default_rng(0)
    images, targets = generator.normal(size=(8, 3)), generator.normal(size=(8, 2))
    for _ in range(5):
        model.train_on_batch(images.astype("float32"), targets.astype("float32"))
    return np.asarray(layer.kernel)


def test_coupled_decay_is_an_l2_penalty_of_half_the_decay():
    coupled = fitted_weights(CoupledSGD(0.1, learning_rate=0.1, momentum=0.9), 0)
    penalized = fitted_weights(keras.optimizers.SGD(0.1, momentum=0.9), 0.05)
    decoupled = fitted_weights(keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1), 0)
    np.testing.assert_allclose(coupled, penalized, rtol=1e-5)
    assert np.abs(coupled - decoupled).max() > 1e-3


def test_the_recipe_reaches_the_optimizer():
    made = optimizer(Recipe(epochs=2, momentum=0.8, weight_decay=0.01), 3)
    assert made.momentum == pytest.approx(0.8)
    assert made.coupled_decay == pytest.approx(0.01)
    assert CoupledSGD.from_config(CoupledSGD(0.2).get_config()).coupled_decay == 0.2
