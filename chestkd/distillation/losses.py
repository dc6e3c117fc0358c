"""Training losses on logits: per finding, and the paper's softmax forms, eqs. (5), (7) and (8).

Every loss is a pure function of arrays (N, findings), labels 1 (present) or 0 (absent) and logits
of any size, and returns one float32 value per example, (N,), so that examples can be weighted.
The loss of a batch is the mean of its examples. `alpha` in [0, 1] is the teacher's share and
`temperature` is above 0. Arrays of other shapes and numbers out of range raise ValueError.

The paper prints the arguments of its cross-entropies in both orders: target first in the hard
term of (5) and in (8), the student's prediction first in the soft term of (5) and in the hard
term of (7), where a label of 0 would make it infinite. Here the target is always the label or the
teacher, which is what the paper's text says.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from keras import ops

from chestkd.distillation.formulas import FORMULAS

Tensor = Any  # a tensor of the backend in use, or a NumPy array


def sigmoid(
    labels: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    alpha: float,
    temperature: float,
) -> Tensor:
    """``(1 - a) BCE(y, s) + a T^2 KL(t/T, s/T)`` per finding: eq. (5) for labels of many findings.

    Both terms are means over the findings.
    """
    _check_alpha(alpha)
    hard = binary_cross_entropy(labels, student_logits)
    return (1 - alpha) * hard + alpha * soft_sigmoid(student_logits, teacher_logits, temperature)


def softmax_eq5(
    labels: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    alpha: float,
    temperature: float,
) -> Tensor:
    """``(1 - a) H(y, s) + 2 a T^2 H(t/T, s/T)``, eq. (5) as printed, its factor 2 included."""
    _check_alpha(alpha)
    hard = softmax_cross_entropy(labels, student_logits)
    soft = soft_softmax(student_logits, teacher_logits, temperature)
    return (1 - alpha) * hard + 2 * alpha * temperature**2 * soft


def softmax_eq7(
    labels: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    alpha: float,
    temperature: float,
) -> Tensor:
    """``H(t/T, s/T) + H(y, s)``, eq. (7) as printed: no T^2, and `alpha` plays no part."""
    _check_alpha(alpha)
    soft = soft_softmax(student_logits, teacher_logits, temperature)
    return soft + softmax_cross_entropy(labels, student_logits)


def softmax_eq8(
    labels: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    alpha: float,
    temperature: float,
) -> Tensor:
    """``(1 - a) H(y, s) + a KL(t/T, s/T)``, eq. (8) as printed: no T^2."""
    _check_alpha(alpha)
    hard = softmax_cross_entropy(labels, student_logits)
    student, teacher = _softened(student_logits, teacher_logits, temperature)
    logarithms = ops.log_softmax(teacher, axis=-1) - ops.log_softmax(student, axis=-1)
    divergence = ops.sum(ops.softmax(teacher, axis=-1) * logarithms, axis=-1)
    return (1 - alpha) * hard + alpha * divergence


def binary_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """Mean over findings of ``-y log q - (1 - y) log(1 - q)``, where ``q = sigmoid(logit)``."""
    labels, logits = _float32(labels=labels, logits=logits)
    losses = labels * ops.softplus(-logits) + (1 - labels) * ops.softplus(logits)
    return ops.mean(losses, axis=-1)


def soft_sigmoid(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """``T^2`` times the mean over findings of ``p log(p/q) + (1 - p) log((1 - p)/(1 - q))``.

    ``p = sigmoid(t / T)`` is the teacher's probability, ``q = sigmoid(s / T)`` the student's. The
    gradient by one logit is ``T (q - p)``, divided by the number of findings; it keeps its size
    as T grows, and the loss of a finding tends to ``(s - t)^2 / 8``.
    """
    student, teacher = _softened(student_logits, teacher_logits, temperature)
    # -log sigmoid(x) is softplus(-x): no probability that may have become 0 meets a logarithm.
    present = ops.sigmoid(teacher) * (ops.softplus(-student) - ops.softplus(-teacher))
    absent = ops.sigmoid(-teacher) * (ops.softplus(student) - ops.softplus(teacher))
    return temperature**2 * ops.mean(present + absent, axis=-1)


def softmax_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """``-sum over findings of y log softmax(logits)``, the labels divided by their number.

    An image without findings has no label to share out: its loss and its gradient are 0.
    """
    labels, logits = _float32(labels=labels, logits=logits)
    shares = labels / ops.maximum(ops.sum(labels, axis=-1, keepdims=True), 1)
    return -ops.sum(shares * ops.log_softmax(logits, axis=-1), axis=-1)


def soft_softmax(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """``-sum over findings of softmax(t / T) log softmax(s / T)``, eq. (6), without a factor T^2.

    Its minimum, at equal logits, is the entropy of the teacher's probabilities.
    """
    student, teacher = _softened(student_logits, teacher_logits, temperature)
    return -ops.sum(ops.softmax(teacher, axis=-1) * ops.log_softmax(student, axis=-1), axis=-1)


# Each formula's function is named after it: "softmax-eq5" is `softmax_eq5`.
LOSSES: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {name: globals()[name.replace("-", "_")] for name in FORMULAS}
)


def _softened(student: Tensor, teacher: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"temperature must be a finite number above 0, received {temperature}")
    student, teacher = _float32(student_logits=student, teacher_logits=teacher)
    return student / temperature, teacher / temperature


def _check_alpha(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], received {alpha}")


def _float32(**arrays: Tensor) -> list[Tensor]:
    """The two arrays in float32, whatever they came in; both must be (N, findings)."""
    tensors = [ops.cast(array, "float32") for array in arrays.values()]
    one, other = (tuple(tensor.shape) for tensor in tensors)
    # While a graph is traced, an unknown N is None and fits every number.
    fits = all(a is None or b is None or a == b for a, b in zip(one, other, strict=False))
    if not (len(one) == len(other) == 2 and fits):
        first, second = arrays
        raise ValueError(
            f"{first} and {second} must both have the shape (images, findings), "
            f"received {one} and {other}"
        )
    return tensors
