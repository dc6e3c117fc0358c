"""What Figures 1 and 2 of the paper show, read from the code that they explain.

Figure 1 is the distillation loss: its terms are read from the formula in the docstring of the loss
in `chestkd.distillation.losses`, and a test evaluates that formula against the loss itself. Figure
2 is the table of strategies: a box for each network that takes part, an arrow for whatever it
learns from. `chestkd.pages.figure_1_2` draws both.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from chestkd.distillation.strategies import Strategy

_TERM = re.compile(r"(?P<weight>.*?)\s*(?P<distance>[A-Z]+)\((?P<target>.+), (?P<prediction>.+)\)")


@dataclass(frozen=True)
class Term:
    """One term of a loss, such as ``a T^2 KL(t/T, s/T)``."""

    # "" where the term has no weight.
    weight: str
    # "BCE", "H" or "KL".
    distance: str
    # What the student is compared to: "y", the labels, or "t/T", the teacher's logits.
    target: str
    # "s" or "s/T": the student's logits.
    prediction: str

    @property
    def soft(self) -> bool:
        """Whether the target is the teacher's."""
        return self.target.startswith("t")

    def __str__(self) -> str:
        return f"{self.weight} {self.distance}({self.target}, {self.prediction})".strip()

    @property
    def mathtext(self) -> str:
        """The same in matplotlib's notation of formulas."""
        weight = re.sub(r"\ba\b", r"\\alpha", self.weight)
        return f"${weight}\\;$" * bool(weight) + self.comparison

    @property
    def comparison(self) -> str:
        """`mathtext` without the weight: what is compared with what."""
        return rf"$\mathrm{{{self.distance}}}({self.target},\, {self.prediction})$"


@dataclass(frozen=True)
class Flow:
    """What one network learns from: an arrow of Figure 2."""

    source: str
    target: str
    # "hard" from the labels, "soft" from another network's outputs.
    kind: str


def terms(docstring: str | None) -> list[Term]:
    """The terms of the formula that opens the docstring of a loss in `chestkd.distillation.losses`.

    Raises ValueError where there is no formula in double backticks, or it cannot be read.
    """
    found = re.match(r"``(.+?)``", docstring or "")
    if found is None:
        raise ValueError(f"expected a docstring that opens with a formula, received {docstring!r}")
    read = [_TERM.fullmatch(text) for text in re.split(r" \+ (?![^(]*\))", found[1])]
    if not all(read):
        raise ValueError(f"expected a sum of terms 'weight NAME(target, s)', received {found[1]!r}")
    return [Term(**term.groupdict()) for term in read if term is not None]


def loss_terms(name: str) -> list[Term]:
    """The terms of the loss of that name in `chestkd.distillation.losses.LOSSES`."""
    from chestkd.distillation.losses import LOSSES  # Keras takes seconds to import

    return terms(LOSSES[name].__doc__)


def learner(strategy: Strategy) -> str:
    """The box of the network that is trained last."""
    return _network(strategy.taught)


def teaching(strategy: Strategy) -> str | None:
    """The box of the network that teaches, and how far it was trained; None: nobody teaches."""
    if strategy.by is None:
        return None
    who = "Earlier copy\nof itself" if strategy.by == strategy.taught else _network(strategy.by)
    return f"{who},\n{'a quarter trained' if strategy.defective else 'trained'}"


def flows(strategy: Strategy) -> list[Flow]:
    """What the taught network learns from: the labels, and whoever teaches it."""
    taught, teacher = learner(strategy), teaching(strategy)
    soft = [] if teacher is None else [Flow(teacher, taught, "soft")]
    return [Flow("Labels", taught, "hard"), *soft]


def table(strategies: Mapping[str, Strategy]) -> pd.DataFrame:
    """Figure 2 in words: one row a strategy."""
    return pd.DataFrame(
        {
            "panel": f"({strategy.panel})",
            "strategy": strategy.title,
            "trained last": strategy.taught,
            "learns from": " and ".join(["the labels", *_teachers(strategy)]),
            "in short": strategy.meaning,
        }
        for strategy in strategies.values()
    )


def _network(role: str) -> str:
    return f"{role.capitalize()}\nnetwork"


def _teachers(strategy: Strategy) -> list[str]:
    box = teaching(strategy)
    return [] if box is None else ["the " + _line(box)]


def _line(box: str) -> str:
    return box.replace("\n", " ").lower()


def loss_words(loss: Iterable[Term]) -> str:
    """Figure 1 in words, for readers who do not see it."""
    parts = [
        f"{term} compares the student's outputs with "
        + ("the teacher's, both softened by T" if term.soft else "the labels")
        for term in loss
    ]
    return (
        "A radiograph goes to a frozen teacher and to a student in training. The loss is a sum: "
        + "; ".join(parts)
        + ". Its gradient changes the student only."
    )


def strategies_words(strategies: Mapping[str, Strategy]) -> str:
    """Figure 2 in words, for readers who do not see it."""
    return " ".join(
        f"({strategy.panel}) {strategy.title}: the {_line(learner(strategy))} learns from "
        + " and from ".join(["the labels", *_teachers(strategy)])
        + "."
        for strategy in strategies.values()
    )
