"""What is compared with what: runs and saliency maps, row by row of Table 1."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from chestkd.distillation.run_names import RunName

# The paper's division of its networks, section III-B.
WEAK_STUDENTS = ("mobilenet-v1", "vgg-19", "resnet-32", "resnet-50")
TEACHERS = ("resnet-152", "densenet-121")
STUDENTS = (*WEAK_STUDENTS, "densenet-121")

# The rows of Table 1: student and teacher.
WEAK_PAIRS = tuple((student, teacher) for teacher in TEACHERS for student in WEAK_STUDENTS)
PAIRS = tuple((student, teacher) for teacher in TEACHERS for student in STUDENTS)
# The rows in which no network teaches itself.
UNEQUAL_PAIRS = tuple(pair for pair in PAIRS if pair[0] != pair[1])
# One row for each student, for strategies that need no other network.
ALONE = tuple((student, student) for student in STUDENTS)


@dataclass(frozen=True)
class MapName:
    """The saliency maps of a method for a finding, all methods on one model."""

    method: str
    finding: str

    @property
    def label(self) -> str:
        """For example "cam of Mass"."""
        return f"{self.method} of {self.finding}"


Name = RunName | MapName


@dataclass(frozen=True)
class Comparison:
    """The effect of ``one`` over ``other``: a difference or, for times, a ratio."""

    one: Name
    other: Name

    @property
    def label(self) -> str:
        """Names the comparison in tables of effects."""
        return f"{self.one.label} over {self.other.label}"


# From a row of Table 1, (student, teacher), to the run in each column.
base, standard, reversed_, defective, self_training = (
    partial(RunName.of_pair, strategy)
    for strategy in ("base", "standard", "reversed", "defective", "self-training")
)


def teacher_base(student: str, teacher: str) -> RunName:
    """Base training of the row's teacher."""
    return RunName("base", teacher)


def compare(
    one: Callable[[str, str], Name],
    other: Callable[[str, str], Name],
    pairs: Iterable[tuple[str, str]],
) -> tuple[Comparison, ...]:
    """One comparison for each pair of student and teacher."""
    return tuple(Comparison(one(*pair), other(*pair)) for pair in pairs)
