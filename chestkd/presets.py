"""Presets: one YAML file says what is run, on which phantom, how large and how long."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from chestkd import workspace
from chestkd.architectures import NETWORKS
from chestkd.configuration import from_mapping
from chestkd.data.phantom.specification import PhantomSpecification
from chestkd.runs import Recipe

FOLDER = Path("workflow", "presets")


@dataclass(frozen=True)
class Preset:
    """What a sweep runs; `workflow/presets/quick.yaml` explains each key."""

    name: str
    # One sentence for the book.
    purpose: str
    # The phantom that stands in where no data set is given.
    phantom: PhantomSpecification
    split: str
    # Side of the square input in pixels.
    size: int
    networks: tuple[str, ...]
    recipe: Recipe
    seeds: tuple[int, ...] = (0,)
    split_seed: int = 0
    # None: random initial weights; "imagenet", or a weights file.
    weights: str | None = None
    # Resamples of the patients behind every interval.
    resamples: int = 1000

    def __post_init__(self) -> None:
        for network in self.networks:
            if network not in NETWORKS:
                raise ValueError(f"unknown network {network!r}; allowed: {', '.join(NETWORKS)}")
        for name in ("networks", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} must be a list without repetitions, not {list(values)}")
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")


def load(name: str) -> Preset:
    """Read `workflow/presets/NAME.yaml`, or any file whose name ends in `.yaml`.

    Raises FileNotFoundError with the presets that there are, or ValueError for a wrong key.
    """
    folder = workspace.resolve(FOLDER)
    path = workspace.resolve(name) if name.endswith(".yaml") else folder / f"{name}.yaml"
    if not path.is_file():
        there = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise FileNotFoundError(f"no preset {name!r} (looked for {path}); there are: {there}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {error}") from None
    if isinstance(values, dict):
        values = {"name": path.stem, **values}
    return from_mapping(Preset, values, str(path))
