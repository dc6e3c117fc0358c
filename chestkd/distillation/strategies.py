"""The five training strategies of Fig. 2 as data: who is taught, by whom, at which epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Role = Literal["student", "teacher"]


@dataclass(frozen=True)
class Strategy:
    """One strategy for a pair of networks, called student and teacher after their size."""

    #: As headings print it.
    title: str
    #: The panel of Fig. 2.
    panel: str
    #: Whose test AUC the strategy is judged by: the network that is trained last.
    taught: Role
    #: Whose outputs it learns from, besides the labels; None: the labels alone.
    by: Role | None
    #: Whether the teacher was stopped a quarter of the way through its own training.
    defective: bool
    #: One sentence for readers.
    meaning: str


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "base": Strategy(
            title="Base training",
            panel="a",
            taught="student",
            by=None,
            defective=False,
            meaning="A network learns from the labels alone.",
        ),
        "standard": Strategy(
            title="Standard distillation",
            panel="b",
            taught="student",
            by="teacher",
            defective=False,
            meaning="A student learns from the labels and from the outputs of a trained teacher.",
        ),
        "reversed": Strategy(
            title="Reversed distillation",
            panel="c",
            taught="teacher",
            by="student",
            defective=False,
            meaning="The teacher network learns from the labels and from its trained student.",
        ),
        "defective": Strategy(
            title="Defective distillation",
            panel="d",
            taught="student",
            by="teacher",
            defective=True,
            meaning="As standard, but the teacher was stopped a quarter of the way through.",
        ),
        "self-training": Strategy(
            title="Self-training",
            panel="e",
            taught="student",
            by="student",
            defective=False,
            meaning="A network learns from the labels and from an earlier, trained copy of itself.",
        ),
    }
)

# Standard and reversed distillation of a network by itself are the procedure of self-training
# with one loss. They run from other seeds, so that their spread measures the noise between runs,
# as the paper's three numbers for DenseNet-121 do.
_OWN_COPY_SEED = {"standard": 1000, "reversed": 2000}


def roles(strategy: str, student: str, teacher: str) -> tuple[str, str | None]:
    """The taught network and the one whose outputs it learns from, or None, for a pair."""
    chosen = STRATEGIES[strategy]
    by_role = {"student": student, "teacher": teacher, None: None}
    taught, by = by_role[chosen.taught], by_role[chosen.by]
    assert taught is not None
    return taught, by


def run_seed(strategy: str, network: str, teacher: str | None, seed: int) -> int:
    """The seed of a run: the same for every strategy, so that base and taught runs are paired."""
    return seed + (_OWN_COPY_SEED.get(strategy, 0) if network == teacher else 0)
