"""The claims C1 to C12 of Ho & Gwak (2020), as data: what is said, and what would test it.

A claim has one or more parts. A part is a list of comparisons, each of one measured thing over
another, and the effects to expect of them if the claim is right. `chestkd.paper.verdicts` turns
measured effects into verdicts.

Two choices are made here and nowhere else. A network taught by itself is self-training, whether
Table 1 calls it standard or reversed, so no claim compares these with each other. And reversed
distillation is judged by the network that is taught.
"""

from dataclasses import dataclass
from typing import Any, Literal

from chestkd.distillation.run_names import RunName
from chestkd.findings import BOXED_FINDINGS
from chestkd.paper.comparisons import (
    ALONE,
    PAIRS,
    STUDENTS,
    UNEQUAL_PAIRS,
    WEAK_PAIRS,
    WEAK_STUDENTS,
    Comparison,
    MapName,
    Name,
    base,
    compare,
    defective,
    reversed_,
    self_training,
    standard,
    teacher_base,
)

ALL = "all"


@dataclass(frozen=True)
class EffectRange:
    """The effects between two limits: lower < effect <= upper."""

    lower: float
    upper: float

    def __contains__(self, effect: float) -> bool:
        return self.lower < effect <= self.upper


ABOVE_ZERO = EffectRange(0.0, float("inf"))
NOT_ABOVE_ZERO = EffectRange(float("-inf"), 0.0)
# "Twice the amount of training time", to the nearest whole number.
ABOUT_TWICE = EffectRange(1.5, 2.5)


@dataclass(frozen=True)
class Part:
    """Comparisons that are judged together."""

    comparisons: tuple[Comparison, ...]
    #: The effects that are in line with the claim.
    expected: EffectRange = ABOVE_ZERO
    #: "mean": the mean effect decides. "every": all effects must be as expected.
    rule: Literal["mean", "every"] = "mean"
    name: str = ALL


@dataclass(frozen=True)
class Claim:
    """One claim, right if all its parts are."""

    id: str
    statement: str
    #: What the paper bases it on.
    source: str
    #: What is measured, in which unit.
    measure: str
    parts: tuple[Part, ...]
    #: What the effect of a comparison is.
    kind: Literal["difference", "ratio"] = "difference"

    @property
    def names(self) -> tuple[Name, ...]:
        """Everything that must be measured, each once, in order of first use."""
        comparisons = [comparison for part in self.parts for comparison in part.comparisons]
        return tuple(dict.fromkeys(name for pair in comparisons for name in (pair.one, pair.other)))

    def effect(self, one: Any, other: Any) -> Any:
        """The effect of one measured number over another."""
        return one / other if self.kind == "ratio" else one - other


def _others(best: RunName) -> tuple[RunName, ...]:
    """Table 1's runs without ``best`` and without its procedure under other names."""
    runs = [run(*pair) for run in (base, teacher_base, self_training) for pair in PAIRS]
    runs += [run(*pair) for run in (standard, reversed_) for pair in UNEQUAL_PAIRS]
    runs += [defective(*pair) for pair in PAIRS]
    return tuple(run for run in dict.fromkeys(runs) if run != best)


_BEST = RunName("self-training", "densenet-121", "densenet-121")
_MEAN_AUC = "AUC, mean of the findings"
_BETTER_TEACHER = tuple(
    Comparison(standard(student, "densenet-121"), standard(student, "resnet-152"))
    for student in WEAK_STUDENTS
)
_BETTER_MAPS = tuple(
    Comparison(MapName("smoothgrad-integrated-gradients", finding), MapName("cam", finding))
    for finding in BOXED_FINDINGS
)
_LEAK = tuple(
    Comparison(RunName("base", network, split="image-wise"), RunName("base", network))
    for network in (*STUDENTS, "resnet-152")
)


def _on_auc(claim_id: str, statement: str, source: str, *parts: Part) -> Claim:
    return Claim(claim_id, statement, source, _MEAN_AUC, parts)


CLAIMS = (
    _on_auc(
        "C1",
        "With base training, deeper networks beat smaller ones.",
        "Table 1: two teachers, each against four students",
        Part(compare(teacher_base, base, WEAK_PAIRS)),
    ),
    _on_auc(
        "C2",
        "Standard distillation beats base training for weak students.",
        "Table 1: four students with two teachers each",
        Part(compare(standard, base, WEAK_PAIRS)),
    ),
    _on_auc(
        "C3",
        "DenseNet-121 is a better teacher than ResNet-152.",
        "Table 1: standard distillation of four students",
        Part(_BETTER_TEACHER),
    ),
    _on_auc(
        "C4",
        "Reversed distillation does not improve the teacher.",
        "Table 1: two teachers, each taught by the other networks",
        Part(compare(reversed_, teacher_base, UNEQUAL_PAIRS), NOT_ABOVE_ZERO),
    ),
    _on_auc(
        "C5",
        "Defective distillation beats base training.",
        "Table 1: five students with two teachers each",
        Part(compare(defective, base, PAIRS)),
    ),
    _on_auc(
        "C6",
        "Defective distillation is worse than standard distillation.",
        "Table 1: five students with two teachers each",
        Part(compare(standard, defective, PAIRS)),
    ),
    _on_auc(
        "C7",
        "Self-training beats base training.",
        "Table 1: five networks",
        Part(compare(self_training, base, ALONE)),
    ),
    _on_auc(
        "C8",
        "Standard distillation beats self-training, except for DenseNet-121.",
        "Table 1: four students with two teachers each; DenseNet-121 from ResNet-152",
        Part(compare(standard, self_training, WEAK_PAIRS), name="weak students"),
        Part(
            compare(self_training, standard, [("densenet-121", "resnet-152")]), name="DenseNet-121"
        ),
    ),
    _on_auc(
        "C9",
        "Self-training DenseNet-121 is the best of all.",
        "Table 1: against every other run",
        Part(tuple(Comparison(_BEST, run) for run in _others(_BEST)), rule="every"),
    ),
    Claim(
        "C10",
        "Self-training costs about twice base training.",
        "Table 2: five networks",
        "training time over that of base training, the base run that teaches included",
        (Part(compare(self_training, base, ALONE), ABOUT_TWICE),),
        kind="ratio",
    ),
    Claim(
        "C11",
        "SmoothGrad of integrated gradients locates findings better than CAM.",
        "Figure 5: eight images, no measurement",
        "pointing game, share of boxes hit",
        (Part(_BETTER_MAPS),),
    ),
    _on_auc(
        "C12",
        "Patient-wise evaluation scores below image-wise evaluation.",
        "Section IV-A: no measurement",
        Part(_LEAK),
    ),
)


def claim(claim_id: str) -> Claim:
    """The claim with this id, "C1" to "C12"; ValueError for any other."""
    known = {candidate.id: candidate for candidate in CLAIMS}
    if claim_id not in known:
        raise ValueError(f"unknown claim {claim_id!r}; allowed: {', '.join(known)}")
    return known[claim_id]
