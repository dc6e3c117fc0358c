"""What a training run prints: plain lines that suit terminals, logs and notebooks."""

import time
from typing import Any

import keras

from chestkd.workspace import duration

_SECONDS_BETWEEN_LINES = 20.0


class EpochProgress(keras.callbacks.Callback):
    """A line after every epoch, and one every 20 seconds within long epochs."""

    def __init__(self, epoch: int, epochs: int, steps: int, *, enabled: bool):
        super().__init__()
        self.epoch, self.epochs, self.steps, self.enabled = epoch, epochs, steps, enabled
        self.started = self.spoken = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Report how far the epoch is, if nothing was printed for a while."""
        now = time.perf_counter()
        if now - self.spoken < _SECONDS_BETWEEN_LINES or batch + 1 == self.steps:
            return
        self.spoken = now
        left = (now - self.started) / (batch + 1) * (self.steps - batch - 1)
        self._say(f"step {batch + 1}/{self.steps}, {duration(left)} left in this epoch")

    def report(self, row: dict[str, Any], history: list[dict[str, Any]]) -> None:
        """Print the line of a finished epoch; ``history`` has the epochs before it."""
        # The first epoch builds the graph, so it says little about the others.
        pace = [past["seconds"] for past in [*history, row]][-3:]
        left = sum(pace) / len(pace) * (self.epochs - self.epoch)
        self._say(
            f"loss {row['loss']:.4f}, validation AUC {row['validation_auc']:.4f}, "
            f"{row['images_per_second']:.0f} images/s, {duration(left)} left"
        )

    def _say(self, text: str) -> None:
        if self.enabled:
            print(f"epoch {self.epoch}/{self.epochs}: {text}", flush=True)
