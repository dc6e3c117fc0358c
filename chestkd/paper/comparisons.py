"""What is measured against what: runs, saliency maps, and the rows of Table 1 they come from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

# The paper's division of its networks, section III-B.
WEAK_STUDENTS = ("mobilenet-v1", "vgg-19", "resnet-32", "resnet-50")
TEACHERS = ("resnet-152", "densenet-121")
STUDENTS = (*WEAK_STUDENTS, "densenet-121")


@dataclass(frozen=True)
class RunKey:
    """The run of a strategy on the patient-wise split, or on the image-wise one."""

    strategy: str
    network: str
    # Empty for base training, the network itself for self-training.
    teacher: str = ""
    split: Literal["patient-wise", "image-wise"] = "patient-wise"

    @property
    def label(self) -> str:
        """For example "standard vgg-19 from resnet-152"."""
        words = [self.strategy, self.network]
        if self.teacher and self.strategy != "self-training":
            words += ["from", self.teacher]
        return " ".join(words + [self.split] * (self.split == "image-wise"))


@dataclass(frozen=True)
class MapKey:
    """The saliency maps of a method for a finding, all methods on one model."""

    method: str
    finding: str

    @property
    def label(self) -> str:
        """For example "cam of Mass"."""
        return f"{self.method} of {self.finding}"


Key = RunKey | MapKey


@dataclass(frozen=True)
class Comparison:
    """The effect of ``one`` over ``other``: a difference or, for times, a ratio."""

    one: Key
    other: Key

    @property
    def label(self) -> str:
        """Names the comparison in tables of effects."""
        return f"{self.one.label} over {self.other.label}"


Cell = tuple[str, str]  # a row of Table 1: student, teacher
WEAK_CELLS = tuple((student, teacher) for teacher in TEACHERS for student in WEAK_STUDENTS)
CELLS = tuple((student, teacher) for teacher in TEACHERS for student in STUDENTS)
# The rows in which one network does not teach itself.
UNEQUAL_CELLS = tuple(cell for cell in CELLS if cell[0] != cell[1])
# One row for each student, for strategies that need no other network.
ALONE = tuple((student, student) for student in STUDENTS)


def base(cell: Cell) -> RunKey:
    """Base training of the row's student."""
    return RunKey("base", cell[0])


def teacher_base(cell: Cell) -> RunKey:
    """Base training of the row's teacher."""
    return RunKey("base", cell[1])


def standard(cell: Cell) -> RunKey:
    """The student, taught by the teacher."""
    return RunKey("standard", *cell)


def reversed_(cell: Cell) -> RunKey:
    """The teacher, taught by the student."""
    student, teacher = cell
    return RunKey("reversed", network=teacher, teacher=student)


def defective(cell: Cell) -> RunKey:
    """The student, taught by an early checkpoint of the teacher."""
    return RunKey("defective", *cell)


def self_training(cell: Cell) -> RunKey:
    """The student, taught by itself."""
    return RunKey("self-training", cell[0], cell[0])


def compare(
    one: Callable[[Cell], Key], other: Callable[[Cell], Key], cells: Iterable[Cell]
) -> tuple[Comparison, ...]:
    """One comparison a row."""
    return tuple(Comparison(one(cell), other(cell)) for cell in cells)
