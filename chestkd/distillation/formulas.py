"""The formulas of the training losses, as data that presets, tables and figures read without Keras.

A loss is added here, by its formula, and in `chestkd.distillation.losses`, by its function; tests
evaluate every formula against its function.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Term:
    """One term of a loss, such as ``a T^2 KL(t/T, s/T)``; its values are Python expressions.

    ``a`` is the teacher's share, ``T`` the temperature, ``y`` the labels; ``s`` and ``t`` are the
    logits of the student and of the teacher.
    """

    weight: str
    #: "BCE" and "H": binary and softmax cross-entropy; "KL": the divergence of the same kind.
    distance: str
    #: What the student is compared with: "y", or "t/T".
    target: str
    #: "s", or "s/T".
    prediction: str

    @property
    def soft(self) -> bool:
        """Whether the target is the teacher's output."""
        return self.target.startswith("t")

    def __str__(self) -> str:
        return f"{self._printed_weight} {self.distance}({self.target}, {self.prediction})".strip()

    @property
    def mathtext(self) -> str:
        """The term in matplotlib's notation for formulas."""
        weight = self._printed_weight.replace("a", r"\alpha")
        return f"${weight}\\;$" * bool(weight) + self.comparison

    @property
    def comparison(self) -> str:
        """`mathtext` without the weight: what is compared with what."""
        return rf"$\mathrm{{{self.distance}}}({self.target},\, {self.prediction})$"

    @property
    def _printed_weight(self) -> str:
        if self.weight == "1":
            return ""
        return self.weight.replace("**", "^").replace(" * ", " ")


@dataclass(frozen=True)
class Formula:
    """A loss as the sum of its terms."""

    #: As tables and figures name it.
    title: str
    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return " + ".join(map(str, self.terms))


# By the names that presets and a run's specification use.
FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "sigmoid": Formula(
            "per finding",
            (Term("(1 - a)", "BCE", "y", "s"), Term("a * T**2", "KL", "t/T", "s/T")),
        ),
        "softmax-eq5": Formula(
            "softmax, eq. (5)",
            (Term("(1 - a)", "H", "y", "s"), Term("2 * a * T**2", "H", "t/T", "s/T")),
        ),
        "softmax-eq7": Formula(
            "softmax, eq. (7)",
            (Term("1", "H", "t/T", "s/T"), Term("1", "H", "y", "s")),
        ),
        "softmax-eq8": Formula(
            "softmax, eq. (8)",
            (Term("(1 - a)", "H", "y", "s"), Term("a", "KL", "t/T", "s/T")),
        ),
    }
)
