"""Presets: one YAML file says what is run, on which phantom, how large and how long."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chestkd import workspace
from chestkd.distillation.formulas import FORMULAS
from chestkd.distillation.strategies import STRATEGIES
from chestkd.networks.architectures import NETWORKS
from chestkd.phantom.specification import PhantomSpecification
from chestkd.training.checked_dataclasses import from_mapping
from chestkd.training.specification import Recipe

FOLDER = Path("workflow", "presets")


@dataclass(frozen=True)
class Distillation:
    """How much of the loss is the teacher's, and how soft its outputs are."""

    loss: str = "sigmoid"
    #: Weight of the teacher's term, 0 to 1. With more than one alpha or temperature, all
    #: combinations are run for the first pair and the best by validation AUC serves every run.
    alpha: tuple[float, ...] = (0.5,)
    temperature: tuple[float, ...] = (4.0,)

    def __post_init__(self) -> None:
        if self.loss not in FORMULAS:
            raise ValueError(f"unknown loss {self.loss!r}; allowed: {', '.join(FORMULAS)}")
        if not self.alpha or any(not 0 <= alpha <= 1 for alpha in self.alpha):
            raise ValueError(f"alpha must lie in [0, 1], not {list(self.alpha)}")
        if not self.temperature or any(not 0 < value < math.inf for value in self.temperature):
            raise ValueError(f"temperature must be above 0, not {list(self.temperature)}")

    @property
    def has_grid(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.alpha) * len(self.temperature) > 1


@dataclass(frozen=True)
class Pretraining:
    """Base training on a phantom of its own, from which the study's networks start."""

    #: What tables call its data, such as "PHANTOM (plain)".
    title: str
    #: Of another seed than the study's, so that they have no patient in common.
    phantom: PhantomSpecification
    #: The others start from random weights.
    networks: tuple[str, ...]
    recipe: Recipe
    #: As `Preset.recipes`.
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    #: Whether the networks keep the dense layer, too, or draw it anew.
    dense: bool = True


@dataclass(frozen=True)
class Preset:
    """What a sweep runs; `workflow/presets/quick.yaml` explains each key."""

    name: str
    #: One sentence for the book.
    purpose: str
    #: The phantom that is used where no data set is given.
    phantom: PhantomSpecification
    split: str
    #: Side of the square input in pixels.
    size: int
    networks: tuple[str, ...]
    recipe: Recipe
    #: The recipe of a network that needs its own; every run of that network uses it. The file
    #: names only what differs from `recipe`.
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    #: Student and teacher of each row of Table 1.
    students: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ("base",)
    distillation: Distillation = Distillation()
    seeds: tuple[int, ...] = (0,)
    #: More seeds of a student, for base training, self-training, and standard and defective
    #: distillation by the teachers of the first of `seeds`.
    student_seeds: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    split_seed: int = 0
    #: Networks that are also trained on the image-wise split, to see what its leak adds.
    image_wise: tuple[str, ...] = ()
    #: None: random initial weights; "imagenet", or a weights file.
    weights: str | None = None
    #: "weights": what the weights expect, or [-1, 1] without them; "training-set": pixels are
    #: scaled by the mean and deviation of the training images.
    scaling: str = "weights"
    pretraining: Pretraining | None = None
    #: Parameters of pages, by the name of the notebook, where the notebook's own do not suit.
    pages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Resamples of the patients behind every interval.
    resamples: int = 1000

    def __post_init__(self) -> None:
        for network in self.networks:
            if network not in NETWORKS:
                raise ValueError(f"unknown network {network!r}; allowed: {', '.join(NETWORKS)}")
        for network in (*self.students, *self.teachers):
            if network not in self.networks:
                raise ValueError(f"{network!r} teaches or is taught, but is not in networks")
        for strategy in self.strategies:
            if strategy not in STRATEGIES:
                raise ValueError(f"unknown strategy {strategy!r}; allowed: {', '.join(STRATEGIES)}")
        for name in ("recipes", "image_wise"):
            for network in getattr(self, name):
                if network not in self.networks:
                    raise ValueError(f"{name}: {network!r} is not in networks")
        for network, seeds in self.student_seeds.items():
            if network not in self.students or set(seeds) & set(self.seeds):
                raise ValueError(
                    "student_seeds must name students and seeds that are not in seeds, not "
                    f"{network}: {list(seeds)}"
                )
        for name in ("networks", "seeds", "students", "teachers", "strategies", "image_wise"):
            values = getattr(self, name)
            needed = name in ("networks", "seeds") and not values
            if needed or len(set(values)) < len(values):
                raise ValueError(f"{name} must be a list without repetitions, not {list(values)}")
        self._check_pairs()
        self._check_pretraining()
        if self.scaling not in ("weights", "training-set"):
            raise ValueError(f"scaling must be weights or training-set, not {self.scaling!r}")
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")

    def _check_pairs(self) -> None:
        """Refuse a strategy, or a grid, that would have nothing to run."""
        if not self.students and "self-training" in self.strategies:
            raise ValueError("strategy 'self-training' needs students")
        for strategy in self.strategies:
            if strategy not in ("base", "self-training") and not self.pairs:
                raise ValueError(f"strategy {strategy!r} needs students and teachers")
        if self.distillation.has_grid and not self.pairs:
            raise ValueError("a grid over alpha and temperature needs students and teachers")

    def _check_pretraining(self) -> None:
        own = self.pretraining
        if own is None:
            return
        if self.weights is not None:
            raise ValueError("give weights or pretraining, not both")
        if own.phantom.seed == self.phantom.seed:
            raise ValueError(
                "pretraining: its phantom needs another seed than the study's, whose patients it "
                f"would repeat; both are {own.phantom.seed}"
            )
        for network in (*own.networks, *own.recipes):
            if network not in self.networks:
                raise ValueError(f"pretraining: {network!r} is not in networks")

    @property
    def pretraining_preset(self) -> "Preset | None":
        """The preset of the pre-training alone: base training of its networks on its phantom."""
        own = self.pretraining
        if own is None:
            return None
        return Preset(
            name=f"{self.name}-pretraining",
            purpose=f"Trains on {own.title} the networks that preset {self.name} starts from.",
            phantom=own.phantom,
            split=self.split,
            size=self.size,
            networks=own.networks,
            recipe=own.recipe,
            recipes=own.recipes,
            split_seed=self.split_seed,
            scaling=self.scaling,
            resamples=self.resamples,
        )

    @property
    def pretrained_on(self) -> str:
        """Where its networks start from, as captions say it; "" where from random weights."""
        own = self.pretraining
        if own is None:
            return ""
        others = [NETWORKS[name].title for name in self.networks if name not in own.networks]
        return f"pre-trained on {own.title}" + (
            f", except {' and '.join(others)}" if others else ""
        )

    def recipe_of(self, network: str) -> Recipe:
        """How a network is trained, with or without a teacher."""
        return self.recipes.get(network, self.recipe)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(student, teacher), teacher by teacher: the rows of Table 1."""
        return [(student, teacher) for teacher in self.teachers for student in self.students]


def load(name: str) -> Preset:
    """Read `workflow/presets/NAME.yaml`, or any file whose name ends in `.yaml`.

    Raises FileNotFoundError, naming the presets that exist, or ValueError for a wrong key.
    """
    folder = workspace.resolve(FOLDER)
    path = workspace.resolve(name) if name.endswith(".yaml") else folder / f"{name}.yaml"
    if not path.is_file():
        available = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise FileNotFoundError(f"no preset {name!r} (looked for {path}); there are: {available}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from None
    if isinstance(values, dict):
        values = {"name": path.stem, **_with_whole_recipes(values)}
    return from_mapping(Preset, values, str(path))


def _with_whole_recipes(values: dict[str, Any]) -> dict[str, Any]:
    """The recipe of each network, completed from the common one, in the pre-training, too."""
    if isinstance(values.get("pretraining"), dict):
        values = {**values, "pretraining": _with_whole_recipes(values["pretraining"])}
    common, own = values.get("recipe"), values.get("recipes")
    if not isinstance(common, dict) or not isinstance(own, dict):
        return values  # missing, or a mistake that the type check reports
    whole = {
        network: {**common, **changes} if isinstance(changes, dict) else changes
        for network, changes in own.items()
    }
    return {**values, "recipes": whole}
