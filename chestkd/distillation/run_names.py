"""What the paper calls a training run: the strategy, the network it trains, and the teacher."""

from dataclasses import dataclass

from chestkd.distillation.strategies import STRATEGIES, roles


@dataclass(frozen=True)
class RunName:
    """A training run as a cell of Table 1 or 2 names it, whatever its data, recipe and seed.

    Raises ValueError for an unknown strategy, and for a teacher where the strategy has none or
    none where it has one.
    """

    strategy: str
    #: The network that is trained.
    network: str
    #: The network whose base run teaches it; for self-training the network itself.
    teacher: str | None = None
    #: The split, where it is not the one that all runs share: "image-wise", to measure its leak.
    split: str | None = None

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"unknown strategy {self.strategy!r}; allowed: {', '.join(STRATEGIES)}"
            )
        if (self.teacher is None) != (STRATEGIES[self.strategy].by is None):
            needed = "no teacher" if self.teacher else "a teacher"
            raise ValueError(f"strategy {self.strategy!r} needs {needed}")

    @classmethod
    def of_pair(cls, strategy: str, student: str, teacher: str) -> "RunName":
        """The run of a row of Table 1, a student and a teacher, in the column of a strategy."""
        return RunName(strategy, *roles(strategy, student, teacher))

    @property
    def label(self) -> str:
        """For example "standard vgg-19 from resnet-152"."""
        words = [self.strategy, self.network]
        if self.teacher and self.strategy != "self-training":
            words += ["from", self.teacher]
        return " ".join(words + ([self.split] if self.split else []))
