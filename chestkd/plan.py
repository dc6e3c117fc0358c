"""The runs of a preset, in the order in which they can be made."""

from dataclasses import dataclass

from chestkd.architectures import NETWORKS
from chestkd.presets import Preset
from chestkd.runs import RunSpecification


@dataclass(frozen=True)
class PlannedRun:
    """One cell of the sweep; the data is known only when it has been prepared."""

    strategy: str
    network: str
    seed: int

    @property
    def key(self) -> str:
        """Readable and unique within a preset; names the files of the workflow."""
        return f"{self.strategy}-{self.network}-seed{self.seed}"

    def parameters(self) -> dict[str, str | int]:
        """What the strategy's notebook is told, beside the study."""
        return {"network": self.network, "seed": self.seed}

    @property
    def title(self) -> str:
        """As the book's table of contents shows it."""
        return f"{NETWORKS[self.network].title}, {self.strategy}, seed {self.seed}"

    def specification(self, preset: Preset, data: str) -> RunSpecification:
        """The full specification on the data with this fingerprint."""
        return RunSpecification(
            strategy=self.strategy,
            network=self.network,
            data=data,
            size=preset.size,
            split=preset.split,
            recipe=preset.recipe,
            seed=self.seed,
            split_seed=preset.split_seed,
            weights=preset.weights,
        )


def planned_runs(preset: Preset) -> list[PlannedRun]:
    """Every run that the preset's tables and figures need, each once."""
    return [
        PlannedRun("base", network, seed) for seed in preset.seeds for network in preset.networks
    ]
