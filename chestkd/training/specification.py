"""What a run is: its specification, and the id that follows from it.

Everything that changes the numbers of a run is in its specification, and the id ends in a hash
of it, so the same question is never computed twice and a changed one always is.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from chestkd.training.checked_dataclasses import from_mapping

# Raised by hand whenever a change of the library changes the numbers of a run.
NUMERICS_VERSION = 2


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; section IV-C of the paper, completed by Yuan et al. (2020)."""

    #: The paper's "200 iterations", read as epochs.
    epochs: int
    #: Images a step; the paper does not say.
    batch_size: int = 128
    #: Learning rate for a batch of 128; the rate in use is rate * batch_size / 128.
    rate: float = 0.1
    momentum: float = 0.9
    #: Coupled: weight_decay * weight is added to the gradient.
    weight_decay: float = 5e-4
    #: The rate rises linearly from zero over these epochs.
    warmup_epochs: int = 1
    #: Fractions of the epochs at which the rate is multiplied by drop_factor.
    drops: tuple[float, ...] = (0.3, 0.6, 0.8)
    drop_factor: float = 0.2
    #: Mirror each training image with probability one half, anew in every epoch.
    flip: bool = True
    #: "float32", or "bfloat16" for mixed precision on GPUs.
    precision: str = "float32"
    #: How many training images an epoch shows, drawn anew in every epoch; None: all.
    epoch_images: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "epoch_images"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if self.epoch_images is not None and self.epoch_images < self.batch_size:
            raise ValueError(
                f"epoch_images must be at least batch_size, {self.batch_size}, "
                f"not {self.epoch_images}"
            )
        for name in ("rate", "momentum", "weight_decay", "warmup_epochs", "drop_factor"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if self.momentum >= 1:
            raise ValueError(f"momentum must be below 1, not {self.momentum}")
        if any(not 0 < drop <= 1 for drop in self.drops):
            raise ValueError(f"drops must lie in (0, 1], not {self.drops}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, not {self.precision!r}")

    @property
    def defective_epoch(self) -> int:
        """The epoch, counted from 1, whose weights are the defective teacher: 50 of 200."""
        return max(1, self.epochs // 4)

    def steps_per_epoch(self, training_images: int) -> int:
        """Full batches in an epoch; one smaller batch where there are too few images for any."""
        shown = min(training_images, self.epoch_images or training_images)
        return max(1, shown // self.batch_size)


@dataclass(frozen=True)
class Teaching:
    """Who teaches, and how much of the loss is the teacher's; see `chestkd.distillation.losses`."""

    #: The id of the teacher's run, and its network for the reader's sake.
    teacher: str
    network: str
    #: Teach with the checkpoint a quarter of the way through instead of the selected one.
    defective: bool = False
    loss: str = "sigmoid"
    alpha: float = 0.5
    temperature: float = 4.0


@dataclass(frozen=True)
class Start:
    """The run of the same network whose selected weights a run starts from."""

    #: The id of that run, which may be on other data and at another size.
    run: str
    #: Take over its dense layer, too; else that layer is drawn from the seed.
    dense: bool = True


@dataclass(frozen=True)
class RunSpecification:
    """Everything that changes the numbers of a run."""

    strategy: str
    network: str
    #: Fingerprint of the prepared data: labels, patients and pixels.
    data: str
    #: Side of the square input in pixels.
    size: int
    split: str
    recipe: Recipe
    teaching: Teaching | None = None
    #: Draws the initial weights, the order of the images and the flips.
    seed: int = 0
    split_seed: int = 0
    #: None: random initial weights. "imagenet", or the path of a weights file.
    weights: str | None = None
    #: SHA-256 of that file, so that its content is part of the id, not its name alone.
    weights_sha256: str | None = None
    #: None: as `weights` says.
    start: Start | None = None
    #: (mean, deviation) of the pixel values that are scaled to (0, 1); None: what the weights
    #: expect, or [-1, 1] without weights.
    scaling: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, fit for JSON; `from_dict` is its inverse."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        if values["recipe"]["epoch_images"] is None:
            # Newer than the first records, whose ids it must not change.
            del values["recipe"]["epoch_images"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "run") -> "RunSpecification":
        """Read what `as_dict` wrote; unknown keys and wrong types are errors."""
        return from_mapping(cls, values, where)

    def with_recipe(self, **changes: Any) -> "RunSpecification":
        """A copy with some keys of its recipe changed; None leaves a key as it is."""
        named = {key: value for key, value in changes.items() if value is not None}
        return dataclasses.replace(self, recipe=dataclasses.replace(self.recipe, **named))

    @property
    def id(self) -> str:
        """Readable, and ends in a hash of everything that changes the numbers."""
        text = json.dumps([NUMERICS_VERSION, self.as_dict()], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        teacher = f"-from-{self.teaching.network}" if self.teaching else ""
        return f"{self.strategy}-{self.network}{teacher}-seed{self.seed}-{digest}"
