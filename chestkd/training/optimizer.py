"""The optimizer of section IV-C: SGD with momentum, coupled weight decay, warm-up and steps."""

from typing import Any

import keras
from keras import ops

from chestkd.training.specification import Recipe


class CoupledSGD(keras.optimizers.SGD):
    """SGD as PyTorch has it, which Yuan et al. (2020) ran: v = m v + g + d w, then w = w - r v.

    Keras's SGD differs twice. It keeps the rate in the momentum, v = m v - r g, so that for some
    steps after a change of the rate it still moves by the old one. And its ``weight_decay`` shrinks
    the weights beside the step, by r d w, out of the momentum's reach; here the decay d is part of
    the gradient, like an L2 penalty of d / 2 that the recorded loss is free of.
    """

    def __init__(self, coupled_decay: float = 0.0, **options: Any):
        super().__init__(**options)
        if self.nesterov:
            raise ValueError("CoupledSGD has no Nesterov momentum, received nesterov=True")
        self.coupled_decay = coupled_decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable."""
        rate, decay, momentum = (
            ops.cast(number, variable.dtype)
            for number in (learning_rate, self.coupled_decay, self.momentum)
        )
        step = ops.cast(gradient, variable.dtype) + decay * variable
        if self.momentum:
            buffer = self.momentums[self._get_variable_index(variable)]
            self.assign(buffer, momentum * buffer + step)
            step = buffer
        self.assign_sub(variable, rate * step)

    def get_config(self) -> dict[str, Any]:
        """The options that make this optimizer again."""
        return {**super().get_config(), "coupled_decay": self.coupled_decay}


class WarmUpThenSteps(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from zero, then a constant rate that drops by a factor at given epochs."""

    def __init__(self, recipe: Recipe, steps_per_epoch: int):
        self.recipe = recipe
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: Any) -> Any:
        """The rate (scalar float32) of a step counted from 0."""
        recipe = self.recipe
        step = ops.cast(step, "float32")
        rate = ops.full((), recipe.rate * recipe.batch_size / 128, "float32")
        warmup_steps = recipe.warmup_epochs * self.steps_per_epoch
        if warmup_steps:
            rate = rate * ops.minimum(1.0, (step + 1) / warmup_steps)
        for drop in recipe.drops:
            at = float(round(drop * recipe.epochs) * self.steps_per_epoch)
            rate = ops.where(step >= at, rate * recipe.drop_factor, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The options that make this schedule again."""
        return {"recipe": self.recipe, "steps_per_epoch": self.steps_per_epoch}


def optimizer(recipe: Recipe, steps_per_epoch: int) -> CoupledSGD:
    """The optimizer of a recipe."""
    return CoupledSGD(
        learning_rate=WarmUpThenSteps(recipe, steps_per_epoch),
        momentum=recipe.momentum,
        coupled_decay=recipe.weight_decay,
    )
