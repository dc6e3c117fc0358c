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


def positions(chosen: keras.optimizers.Optimizer, rates: list[float]) -> list[float]:
    """Where steps at these rates take a weight that starts at 0 and whose gradient is always 1."""
    weight = keras.Variable(0.0)
    found = []
    for rate in rates:
        chosen.learning_rate = rate
        chosen.apply([ops.ones(())], [weight])
        found.append(float(ops.convert_to_numpy(weight)))
    return found


def test_a_new_rate_takes_effect_at_once_as_in_pytorch():
    rates = [1.0, 1.0, 0.1, 0.1]
    # The momentum is 1, 1.9, 2.71 and 3.439; each step is the rate times it.
    ours = positions(CoupledSGD(learning_rate=1.0, momentum=0.9), rates)
    assert ours == pytest.approx([-1, -2.9, -3.171, -3.5149])
    # With the rate in the momentum: 1, 1.9, then .9 * 1.9 + .1 = 1.81 and .9 * 1.81 + .1 = 1.729.
    keras_own = positions(keras.optimizers.SGD(1.0, momentum=0.9), rates)
    assert keras_own == pytest.approx([-1, -2.9, -4.71, -6.439])
    # While the rate is constant the two are the same.
    assert ours[:2] == pytest.approx(keras_own[:2])


def test_without_momentum_a_step_is_the_rate_times_the_decayed_gradient():
    # 0 - .5 * 1 = -.5; then the gradient is 1 + .2 * -.5 = .9.
    chosen = CoupledSGD(0.2, learning_rate=0.5)
    assert positions(chosen, [0.5, 0.5]) == pytest.approx([-0.5, -0.95])


def test_nesterov_momentum_is_refused():
    with pytest.raises(ValueError, match="no Nesterov momentum, received nesterov=True"):
        CoupledSGD(momentum=0.9, nesterov=True)
