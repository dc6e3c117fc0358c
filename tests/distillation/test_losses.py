"""The losses against values worked out by hand and against float64 NumPy."""

from collections.abc import Callable
from math import exp, log
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops

from chestkd.distillation import losses

Array = np.ndarray


def numbers(tensor: Any) -> Array:
    return ops.convert_to_numpy(tensor)


def gradient(function: Callable[[Any], Any], at: Array) -> Array:
    """The gradient of the sum of function(at), on the backend in use."""
    at = np.asarray(at, np.float32)
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda values: ops.sum(function(values)))(at))
    import tensorflow

    values = tensorflow.Variable(at)
    with tensorflow.GradientTape() as tape:
        total = ops.sum(function(values))
    return tape.gradient(total, values).numpy()


# -- Float64 references, written from the formulas in the other direction: by probabilities. --


def log_probability(logits: Array) -> Array:
    return -np.logaddexp(0, -logits)


def reference_hard_sigmoid(labels: Array, student: Array) -> Array:
    return -np.where(labels == 1, log_probability(student), log_probability(-student)).mean(1)


def reference_soft_sigmoid(student: Array, teacher: Array, temperature: float) -> Array:
    total = np.zeros(student.shape)
    for sign in (1, -1):
        log_p = log_probability(sign * teacher / temperature)
        log_q = log_probability(sign * student / temperature)
        total += np.exp(log_p) * (log_p - log_q)
    return temperature**2 * total.mean(1)


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def reference_hard_softmax(labels: Array, student: Array) -> Array:
    values = []
    for row, logs in zip(labels, log_softmax(student), strict=True):
        present = np.flatnonzero(row)
        values.append(-logs[present].mean() if len(present) else 0.0)
    return np.array(values)


def reference_soft_softmax(student: Array, teacher: Array, temperature: float) -> Array:
    return -(np.exp(log_softmax(teacher / temperature)) * log_softmax(student / temperature)).sum(1)


def reference(name: str, y: Array, s: Array, t: Array, alpha: float, temperature: float) -> Array:
    if name == "sigmoid":
        soft = reference_soft_sigmoid(s, t, temperature)
        return (1 - alpha) * reference_hard_sigmoid(y, s) + alpha * soft
    hard, soft = reference_hard_softmax(y, s), reference_soft_softmax(s, t, temperature)
    if name == "softmax-eq5":
        return (1 - alpha) * hard + 2 * alpha * temperature**2 * soft
    if name == "softmax-eq7":
        return hard + soft
    return (1 - alpha) * hard + alpha * (soft - reference_soft_softmax(t, t, temperature))


@pytest.fixture
def example() -> tuple[Array, Array, Array]:
    generator = np.random.default_rng(4)
    labels = (generator.random((6, 14)) < 0.2).astype(np.float32)
    labels[0] = 0
    labels[1] = 1
    student, teacher = generator.normal(0, 3, (2, 6, 14)).astype(np.float32)
    return labels, student, teacher


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("temperature", [1, 4, 20])
@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_every_loss_agrees_with_float64(name, temperature, alpha, example):
    labels, student, teacher = example
    wanted = reference(name, *(each.astype(np.float64) for each in example), alpha, temperature)
    received = losses.LOSSES[name](labels, student, teacher, alpha=alpha, temperature=temperature)
    assert received.shape == (6,)
    # Float32 rounds each softened cross-entropy at about 1e-7; T^2 multiplies that.
    np.testing.assert_allclose(
        numbers(received), wanted, rtol=2e-6, atol=1e-6 + 3e-7 * temperature**2
    )


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("temperature", [1, 4, 20])
@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_every_gradient_agrees_with_differences_in_float64(name, temperature, alpha, example):
    labels, student, teacher = (each.astype(np.float64) for each in example)
    step, wanted = 1e-5, np.zeros(student.shape)
    for finding in range(14):
        moved = np.zeros(14)
        moved[finding] = step
        above, below = (
            reference(name, labels, student + sign * moved, teacher, alpha, temperature)
            for sign in (1, -1)
        )
        wanted[:, finding] = (above - below) / (2 * step)
    received = gradient(
        lambda values: losses.LOSSES[name](
            example[0], values, example[2], alpha=alpha, temperature=temperature
        ),
        example[1],
    )
    np.testing.assert_allclose(received, wanted, rtol=1e-5, atol=2e-6 * temperature)


def test_binary_cross_entropy_by_hand():
    # sigmoid(log 3) = 3/4 and sigmoid(-log 3) = 1/4.
    labels = np.array([[1, 0], [1, 0]])
    logits = np.array([[0, 0], [log(3), log(3)]])
    wanted = [log(2), (log(4 / 3) + log(4)) / 2]
    np.testing.assert_allclose(
        numbers(losses.binary_cross_entropy(labels, logits)), wanted, rtol=1e-6
    )


def test_soft_sigmoid_by_hand():
    # At T = 2 the teacher says 3/4 and the student 1/2: KL = 3/4 log(3/2) + 1/4 log(1/2).
    teacher, student = np.array([[2 * log(3), 0]]), np.array([[0, 0]])
    divergence = 0.75 * log(1.5) + 0.25 * log(0.5)
    received = losses.soft_sigmoid(student, teacher, 2)
    np.testing.assert_allclose(numbers(received), [4 * divergence / 2], rtol=1e-6)


def test_sigmoid_weighs_its_terms_by_alpha():
    labels, student, teacher = np.array([[1]]), np.array([[0]]), np.array([[2 * log(3)]])
    soft = 4 * (0.75 * log(1.5) + 0.25 * log(0.5))
    received = losses.sigmoid(labels, student, teacher, alpha=0.25, temperature=2)
    np.testing.assert_allclose(numbers(received), [0.75 * log(2) + 0.25 * soft], rtol=1e-6)


def test_softmax_forms_by_hand():
    # Three findings, two of them present. The student is undecided; at T = 2 the teacher gives
    # 1/2, 1/4, 1/4, whose cross-entropy with the undecided student is log 3.
    labels, student = np.array([[1, 1, 0]]), np.array([[0, 0, 0]])
    teacher = np.array([[2 * log(2), 0, 0]])
    entropy = 0.5 * log(2) + 0.5 * log(4)
    options = {"alpha": 0.25, "temperature": 2}
    for function, wanted in (
        (losses.softmax_eq5, 0.75 * log(3) + 2 * 0.25 * 4 * log(3)),
        (losses.softmax_eq7, 2 * log(3)),
        (losses.softmax_eq8, 0.75 * log(3) + 0.25 * (log(3) - entropy)),
    ):
        received = numbers(function(labels, student, teacher, **options))
        np.testing.assert_allclose(received, [wanted], rtol=1e-6, err_msg=function.__name__)


def test_softmax_shares_the_labels_out():
    logits = np.array([[log(2), log(1), log(1)]])  # probabilities 1/2, 1/4, 1/4
    for labels, wanted in (
        ([1, 0, 0], log(2)),
        ([1, 1, 0], (log(2) + log(4)) / 2),
        ([1, 1, 1], (log(2) + 2 * log(4)) / 3),
        ([0, 0, 0], 0),
    ):
        received = losses.softmax_cross_entropy(np.array([labels]), logits)
        np.testing.assert_allclose(numbers(received), [wanted], rtol=1e-6)


def test_softmax_learns_nothing_from_images_without_findings(example):
    labels, student, _ = example
    moved = gradient(lambda values: losses.softmax_cross_entropy(labels, values), student)
    assert not moved[0].any()  # the first image has no finding
    np.testing.assert_array_equal(moved.any(axis=1), labels.any(axis=1))
    taught = gradient(lambda values: losses.binary_cross_entropy(labels, values), student)
    assert taught[0].all()


def test_softmax_does_not_see_the_level_of_the_logits(example):
    labels, student, teacher = example
    for name in ("softmax-eq5", "softmax-eq7", "softmax-eq8"):
        here, raised = (
            numbers(losses.LOSSES[name](labels, each, teacher, alpha=0.5, temperature=4))
            for each in (student, student + 5)
        )
        np.testing.assert_allclose(here, raised, rtol=1e-5)
    here, raised = (
        numbers(losses.sigmoid(labels, each, teacher, alpha=0.5, temperature=4))
        for each in (student, student + 5)
    )
    assert (np.abs(here - raised) > 0.1).all()


@pytest.mark.parametrize("temperature", [1, 4, 20])
def test_a_student_equal_to_its_teacher_has_nothing_to_learn(temperature, example):
    _, _, teacher = example
    assert not numbers(losses.soft_sigmoid(teacher, teacher, temperature)).any()
    labels = np.zeros_like(teacher)
    divergence = losses.softmax_eq8(labels, teacher, teacher, alpha=1, temperature=temperature)
    assert not numbers(divergence).any()
    for function in (losses.soft_sigmoid, losses.soft_softmax):
        moved = gradient(lambda values, f=function: f(values, teacher, temperature), teacher)
        np.testing.assert_allclose(moved, 0, atol=1e-7 * temperature)


def test_soft_sigmoid_is_positive_where_the_student_differs():
    moved = np.array([[0.5] + [0] * 13], np.float32)
    assert numbers(losses.soft_sigmoid(moved, 0 * moved, 4)) > 0


def test_temperature_squared_keeps_the_size_of_the_gradient(example):
    _, student, teacher = example
    sizes, bare = [], []
    for temperature in (10, 20, 40):
        moved = gradient(
            lambda values, t=temperature: losses.soft_sigmoid(values, teacher, t), student
        )
        sizes.append(np.abs(moved).mean())
        bare.append(sizes[-1] / temperature**2)
    np.testing.assert_allclose(sizes[1:], sizes[:-1], rtol=0.1)
    # Without the factor the gradient would be a quarter at each doubling.
    np.testing.assert_allclose(np.divide(bare[:-1], bare[1:]), 4, rtol=0.1)


def test_the_gradient_is_temperature_times_the_difference_of_probabilities(example):
    _, student, teacher = example
    moved = gradient(lambda values: losses.soft_sigmoid(values, teacher, 4), student)
    p, q = (1 / (1 + np.exp(-each.astype(np.float64) / 4)) for each in (teacher, student))
    np.testing.assert_allclose(moved, 4 * (q - p) / 14, atol=1e-6)


def test_at_a_high_temperature_the_loss_is_a_squared_difference():
    student, teacher = np.array([[3.0, -1.0]]), np.array([[-1.0, 1.0]])
    received = numbers(losses.soft_sigmoid(student, teacher, 50))
    np.testing.assert_allclose(received, [(4**2 + 2**2) / 2 / 8], rtol=2e-3)
    slope = gradient(lambda values: losses.soft_sigmoid(values, teacher, 1000), student)
    np.testing.assert_allclose(slope, [[4 / 4 / 2, -2 / 4 / 2]], rtol=2e-3)


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("temperature", [0.5, 1, 4, 20])
def test_huge_logits_stay_finite_with_their_gradients(name, temperature):
    huge = [-1e4, -1e2, 0.0, 1e2, 1e4]
    student, teacher = (grid.reshape(1, -1) for grid in np.meshgrid(huge, huge))
    for label in (0, 1):
        labels = np.full(student.shape, label)

        def total(values, labels=labels):
            return losses.LOSSES[name](labels, values, teacher, alpha=0.5, temperature=temperature)

        assert np.isfinite(numbers(total(student.astype(np.float32)))).all()
        assert np.isfinite(gradient(total, student)).all()


def test_a_confident_mistake_costs_its_logit():
    received = losses.binary_cross_entropy(np.array([[1, 0]]), np.array([[-1e4, 1e4]]))
    np.testing.assert_allclose(numbers(received), [1e4])
    received = losses.binary_cross_entropy(np.array([[1, 0]]), np.array([[1e4, -1e4]]))
    np.testing.assert_array_equal(numbers(received), [0])


def test_small_probabilities_keep_their_digits():
    received = losses.binary_cross_entropy(np.array([[0]]), np.array([[-50.0]]))
    np.testing.assert_allclose(numbers(received), [exp(-50)], rtol=1e-5)


logit = st.floats(-30, 30, width=32)


@settings(max_examples=40)
@given(
    student=arrays(np.float32, (2, 14), elements=logit),
    teacher=arrays(np.float32, (2, 14), elements=logit),
    temperature=st.sampled_from([1.0, 4.0, 20.0]),
)
def test_soft_sigmoid_never_falls_below_zero_and_meets_float64(student, teacher, temperature):
    received = numbers(losses.soft_sigmoid(student, teacher, temperature))
    rounding = 3e-7 * temperature**2
    assert (received >= -rounding).all()
    wanted = reference_soft_sigmoid(
        student.astype(np.float64), teacher.astype(np.float64), temperature
    )
    np.testing.assert_allclose(received, wanted, rtol=5e-6, atol=rounding)


@settings(max_examples=20)
@given(arrays(np.float32, (3, 14), elements=logit), st.permutations(range(14)))
def test_no_loss_depends_on_the_order_of_the_findings(logits, order):
    labels = (logits > 5).astype(np.float32)
    teacher = np.roll(logits, 1, axis=1)
    for name, function in losses.LOSSES.items():
        here = function(labels, logits, teacher, alpha=0.5, temperature=4)
        there = function(
            labels[:, order], logits[:, order], teacher[:, order], alpha=0.5, temperature=4
        )
        np.testing.assert_allclose(
            numbers(here), numbers(there), rtol=1e-4, atol=1e-4, err_msg=name
        )


@pytest.mark.parametrize("name", losses.LOSSES)
def test_bfloat16_logits_give_float32_losses(name, example):
    labels, student, teacher = (ops.cast(each, "bfloat16") for each in example)
    received = losses.LOSSES[name](labels, student, teacher, alpha=0.5, temperature=4)
    assert keras.backend.standardize_dtype(received.dtype) == "float32"
    rounded = [numbers(ops.cast(each, "float32")) for each in (labels, student, teacher)]
    wanted = reference(name, *(each.astype(np.float64) for each in rounded), 0.5, 4)
    np.testing.assert_allclose(numbers(received), wanted, rtol=1e-5)


@pytest.mark.parametrize("alpha", [-0.01, 1.01, float("nan")])
@pytest.mark.parametrize("name", losses.LOSSES)
def test_alpha_outside_its_range_is_refused(name, alpha, example):
    with pytest.raises(ValueError, match=r"alpha must lie in \[0, 1\], received"):
        losses.LOSSES[name](*example, alpha=alpha, temperature=4)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_temperature_that_is_not_positive_is_refused(name, temperature, example):
    with pytest.raises(ValueError, match="temperature must be a finite number above 0, received"):
        losses.LOSSES[name](*example, alpha=0.5, temperature=temperature)


@pytest.mark.parametrize("name", losses.LOSSES)
@pytest.mark.parametrize("wrong", range(3))
@pytest.mark.parametrize("shape", [(14,), (6, 13), (6, 1), (5, 14), (1, 14), (6, 14, 1)])
def test_wrong_shapes_are_refused_and_not_broadcast(name, wrong, shape, example):
    example = list(example)
    example[wrong] = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=r"must both have the shape \(images, findings\), rec"):
        losses.LOSSES[name](*example, alpha=0.5, temperature=4)


def test_the_error_names_the_arrays_and_their_shapes():
    with pytest.raises(ValueError, match=r"labels and logits .* received \(2, 3\) and \(2, 14\)"):
        losses.binary_cross_entropy(np.zeros((2, 3)), np.zeros((2, 14)))


def test_keras_can_weigh_examples():
    """A loss of the values per example lets `fit` apply sample weights."""
    image = keras.Input((14,))
    model = keras.Model(image, keras.layers.Identity()(image))
    model.compile(loss=losses.binary_cross_entropy)
    logits = np.array([[0.0] * 14, [2.0] * 14], np.float32)
    labels = np.zeros((2, 14), np.float32)
    received = model.evaluate(logits, labels, sample_weight=np.array([1.0, 3.0]), verbose=0)
    np.testing.assert_allclose(received, (log(2) + 3 * log(1 + exp(2))) / 2, rtol=1e-6)
